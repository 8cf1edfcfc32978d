// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools names runc, so that go.mod and go.sum pin it.
package tools

import _ "github.com/opencontainers/runc"
