// SPDX-License-Identifier: Apache-2.0
// client.js: npm's @grpc/grpc-js against csiserver, with messages written by hand.
// Usage: client.js CSI-SOCKET MODULES. Prints TAP results without a plan.
'use strict';
const grpc = require(process.argv[3] + '/@grpc/grpc-js');

const client = new grpc.Client('unix:' + process.argv[2], grpc.credentials.createInsecure());
const same = (x) => x;
const PUBLISH = Buffer.from('\x22\x02/t\x2a\x06\x12\x00\x1a\x02\x08\x01', 'latin1');

function report(ok, name, got) {
	if (!ok)
		console.log('# got ' + JSON.stringify(got));
	console.log((ok ? 'ok' : 'not ok') + ' - grpc-js: ' + name);
}

function call(path, message, ms) {
	return new Promise((resolve) => {
		const options = {deadline: Date.now() + (ms || 20000)};
		client.makeUnaryRequest(path, same, same, message || Buffer.alloc(0), new grpc.Metadata(), options,
			(error, answer) => resolve(error ? {code: error.code, text: error.details} : {code: 0, answer}));
	});
}

function volume(name) {
	return Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name), PUBLISH]);
}

async function main() {
	let got = await call('/csi.v1.Identity/GetPluginInfo');
	report(got.code === 0 && got.answer.toString('latin1') === '\x0a\x0dnfs.berth.dev\x12\x050.1.0', 'GetPluginInfo', got);
	got = await call('/csi.v1.Node/NodePublishVolume', volume('pv-1'));
	report(got.code === 0 && got.answer.length === 0, 'NodePublishVolume', got);
	got = await call('/csi.v1.Node/NodePublishVolume', volume('umlaut'));
	report(got.code === 10 && got.text === 'no such dir: "ä\n" 100%', 'a message of any characters', got);
	got = await call('/csi.v1.Node/NodePublishVolume');
	report(got.code === 3 && got.text === 'volume_id is missing', 'an empty request', got);
	got = await call('/csi.v1.Node/NodeExpandVolume');
	report(got.code === 12, 'an unknown method', got);
	got = await call('/csi.v1.Node/NodePublishVolume', volume('hold'), 300);
	report(got.code === 4, 'a deadline', got);
	const all = await Promise.all(Array.from({length: 500}, () => call('/csi.v1.Node/NodePublishVolume', volume('pv-1'), 60000)));
	report(all.every((r) => r.code === 0), '500 calls at once', all.find((r) => r.code !== 0));
	client.close();
}

main();
