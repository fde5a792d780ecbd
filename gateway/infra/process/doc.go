// Package process runs Envoy as a child: finds it, checks its version, starts
// it, folds its log into ours, restarts it when it dies, drains and stops it.
// An Envoy never outlives the process that started it.
package process
