#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# raw.pl: the bytes that a kubelet before 1.29 sends to a registration socket: its path, with slashes, is :authority.
# Usage: raw.pl SOCKET PATH AUTHORITY. Prints the answer's DATA in hex; exit status 1 where there is none.
use strict;
use warnings;
use IO::Socket::UNIX;

$SIG{PIPE} = 'IGNORE';
my ($socket, $path, $authority) = @ARGV;
my $s = IO::Socket::UNIX->new(Peer => $socket) or die "connect: $!\n";

sub frame {
	my ($type, $flags, $stream, $payload) = @_;
	return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

# A literal field without indexing; lengths below 127.
sub field {
	my ($name, $value) = @_;
	return pack('C', 0) . pack('C/a C/a', $name, $value);
}

my $head = join '', map { field(@$_) } [':method', 'POST'], [':scheme', 'http'], [':path', $path],
	[':authority', $authority], ['content-type', 'application/grpc'], ['user-agent', 'grpc-go/1.54.0'],
	['te', 'trailers'], ['grpc-timeout', '999837u'];
my $bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '') . frame(1, 4, 1, $head)
	. frame(0, 1, 1, "\0" x 5);
# In two pieces, cut inside of the header block.
syswrite $s, substr($bytes, 0, 60);
select undef, undef, undef, 0.05;
syswrite $s, substr($bytes, 60);

local $SIG{ALRM} = sub { die "no answer within ten seconds\n" };
alarm 10;
my ($in, $data) = ('', '');
while (sysread $s, my $chunk, 65536) {
	$in .= $chunk;
	while (length $in >= 9) {
		my ($size, $type, $flags, $stream) = (unpack('N', "\0" . substr($in, 0, 3)), unpack('CCN', substr($in, 3, 6)));
		last if length $in < 9 + $size;
		my $payload = substr $in, 9, $size;
		substr($in, 0, 9 + $size) = '';
		syswrite $s, frame(4, 1, 0, '') if $type == 4 && !($flags & 1);
		die sprintf("the stream was reset: error %d\n", unpack 'N', $payload) if $type == 3;
		$data .= $payload if $type == 0;
		next if $type > 1 || !($flags & 1);
		print join(' ', map { sprintf '%02x', ord } split //, $data), "\n";
		exit($data eq '');
	}
}
die "the connection was closed\n";
