# SPDX-License-Identifier: Apache-2.0
# client.py: grpc's C++ core (Debian's python3-grpcio) against csiserver, with messages written by hand.
# Usage: client.py CSI-SOCKET REGISTRATION-SOCKET SERVER-PID. Prints TAP results without a plan; ends the server.
import concurrent.futures
import os
import signal
import sys
import time

import grpc

csi, registration, server = sys.argv[1], sys.argv[2], int(sys.argv[3])
PUBLISH = b"\x22\x02/t\x2a\x06\x12\x00\x1a\x02\x08\x01"


def report(ok, name, got=""):
    if not ok:
        print(f"# got {got}")
    print(f"{'ok' if ok else 'not ok'} - grpc C++: {name}", flush=True)


def call(channel, path, message=b"", timeout=20):
    """The answer's bytes, or (code, text)."""
    try:
        return channel.unary_unary(path)(message, timeout=timeout)
    except grpc.RpcError as e:
        return e.code(), e.details()


def volume(name):
    return b"\x0a" + bytes([len(name)]) + name + PUBLISH


channel = grpc.insecure_channel("unix:" + csi)
info = b"\x0a\x0dnfs.berth.dev\x12\x050.1.0"
got = call(channel, "/csi.v1.Identity/GetPluginInfo")
report(got == info, "GetPluginInfo", got)
got = call(channel, "/csi.v1.Identity/Probe")
report(got == b"\x0a\x02\x08\x01", "Probe", got)
got = call(channel, "/csi.v1.Node/NodePublishVolume", volume(b"pv-1"))
report(got == b"", "NodePublishVolume", got)
got = call(channel, "/csi.v1.Node/NodePublishVolume", volume(b"umlaut"))
report(got == (grpc.StatusCode.ABORTED, 'no such dir: "ä\n" 100%'), "a message of any characters", got)
got = call(channel, "/csi.v1.Node/NodePublishVolume")
report(got == (grpc.StatusCode.INVALID_ARGUMENT, "volume_id is missing"), "an empty request", got)
got = call(channel, "/csi.v1.Node/NodePublishVolume", b"\x0a\x02\xc3(" + PUBLISH)
report(got == (grpc.StatusCode.INVALID_ARGUMENT, "volume_id is not valid UTF-8"), "invalid UTF-8", got)
got = call(channel, "/csi.v1.Node/NodeExpandVolume")
report(got[0] == grpc.StatusCode.UNIMPLEMENTED, "an unknown method", got)
got = call(channel, "/csi.v1.Node/NodePublishVolume", volume(b"hold"), 0.2)
report(got[0] == grpc.StatusCode.DEADLINE_EXCEEDED, "a deadline", got)
future = channel.unary_unary("/csi.v1.Node/NodePublishVolume").future(volume(b"hold"))
time.sleep(0.2)
future.cancel()
got = call(channel, "/csi.v1.Identity/GetPluginInfo")
report(got == info, "a call after a cancel", got)
other = grpc.insecure_channel("unix:" + registration)
got = call(other, "/pluginregistration.Registration/GetInfo")
report(got[:11] == b"\x0a\x09CSIPlugin", "GetInfo", got)

with concurrent.futures.ThreadPoolExecutor(50) as pool:
    results = list(pool.map(lambda i: call(channel, "/csi.v1.Node/NodePublishVolume", volume(b"pv-1"), 60), range(1000)))
report(all(r == b"" for r in results), "1,000 calls, 50 at once", [r for r in results if r != b""][:3])

# The server drains: what runs is answered, what is new goes elsewhere.
future = channel.unary_unary("/csi.v1.Node/NodePublishVolume").future(volume(b"slow"), timeout=20)
time.sleep(0.1)
os.kill(server, signal.SIGTERM)
try:
    got = future.result()
except grpc.RpcError as e:
    got = (e.code(), e.details())
report(got == b"", "a call that runs while the server drains", got)
