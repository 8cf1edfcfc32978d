#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# hold.pl: as many connections, each with a NodePublishVolume that csiserver does not answer, until stdin ends.
# Usage: hold.pl SOCKET N
use strict;
use warnings;
use IO::Socket::UNIX;

my ($socket, $n) = @ARGV;

sub frame {
	my ($type, $flags, $stream, $payload) = @_;
	return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

my $head = join '', map { pack('C', 0) . pack('C/a C/a', @$_) } [':method', 'POST'], [':scheme', 'http'],
	[':path', '/csi.v1.Node/NodePublishVolume'], [':authority', 'localhost'], ['content-type', 'application/grpc'],
	['grpc-timeout', '119999m'];
my $message = "\x0a\x04hold\x22\x02/t\x2a\x06\x12\x00\x1a\x02\x08\x01";
my $bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '') . frame(1, 4, 1, $head)
	. frame(0, 1, 1, "\0" . pack('N', length $message) . $message);
my @connections;
for (1 .. $n) {
	my $s = IO::Socket::UNIX->new(Peer => $socket) or die "connect: $!\n";
	syswrite $s, $bytes;
	push @connections, $s;
}
<STDIN>;
