# SPDX-License-Identifier: Apache-2.0
# certs.sh: the cluster's certificates and kubeconfig files; common.sh comes first
# shellcheck shell=sh disable=SC2154

certs=$dir/certs

openssl_quiet() {
	openssl "$@" 2>>"$dir/log/openssl.log"
}

# ECDSA keys: made in milliseconds where RSA keys take half a second each.
make_key() { # name
	openssl_quiet ecparam -name prime256v1 -genkey -noout -out "$certs/$1.key"
}

make_ca() {
	make_key ca
	openssl_quiet req -x509 -new -key "$certs/ca.key" -days 30 -subj /CN=berth-test-ca -out "$certs/ca.crt"
}

make_cert() { # name, subject, extension lines
	make_key "$1"
	printf '%s\n' 'basicConstraints=CA:FALSE' 'keyUsage=digitalSignature' "$3" >"$certs/$1.ext"
	openssl_quiet req -new -key "$certs/$1.key" -subj "$2" -out "$certs/$1.csr"
	openssl_quiet x509 -req -in "$certs/$1.csr" -CA "$certs/ca.crt" -CAkey "$certs/ca.key" \
		-CAcreateserial -days 30 -extfile "$certs/$1.ext" -out "$certs/$1.crt"
}

make_client_cert() { # name, subject
	make_cert "$1" "$2" extendedKeyUsage=clientAuth
}

inline() { # file
	base64 -w0 "$1"
}

write_kubeconfig() { # file, user's lines
	(umask 077 && cat >"$1") <<-END
	apiVersion: v1
	kind: Config
	current-context: test
	contexts:
	- name: test
	  context: {cluster: test, user: "test"}
	clusters:
	- name: test
	  cluster:
	    server: $server
	    certificate-authority-data: $(inline "$certs/ca.crt")
	users:
	- name: "test"
	  user:
	$2
	END
}

write_cert_kubeconfig() { # file, name of the certificate
	write_kubeconfig "$1" "    client-certificate-data: $(inline "$certs/$2.crt")
    client-key-data: $(inline "$certs/$2.key")"
}
