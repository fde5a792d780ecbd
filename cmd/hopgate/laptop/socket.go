package laptop

// Socket is the guard's: it answers Envoy and nobody else.
func (l *Laptop) Socket() string { return l.runtime.Socket() }
