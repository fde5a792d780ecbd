//go:build !linux

package network

import "errors"

var errLinux = errors.New("make a network: only Linux has them")

// Network is of no use here.
type Network struct{}

// New has no network to give.
func New() (*Network, error) { return nil, errLinux }

// Do does nothing.
func (*Network) Do(func() error) error { return errLinux }

// Close ends nothing.
func (*Network) Close() {}

// EveryAddress makes no address local.
func EveryAddress() error { return errLinux }
