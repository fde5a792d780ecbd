package schema

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Limits of an EndpointSlice, as in Kubernetes.
const (
	maxEndpoints         = 1000
	maxEndpointAddresses = 100
	maxEndpointPorts     = 100
)

// checkEndpointSlice fills in what the API server would, and checks types,
// addresses and ports. Loopback addresses are accepted, other than by the API
// server: files are for one machine too.
func checkEndpointSlice(s *discoveryv1.EndpointSlice) field.ErrorList {
	errs := checkAddressType(s.AddressType)
	if s.Labels[discoveryv1.LabelServiceName] == "" {
		errs = append(errs, field.Required(field.NewPath("metadata", "labels").Key(discoveryv1.LabelServiceName), "it names the Service"))
	}
	endpoints := field.NewPath("endpoints")
	if len(s.Endpoints) > maxEndpoints {
		errs = append(errs, field.TooMany(endpoints, len(s.Endpoints), maxEndpoints))
	}
	if len(errs) == 0 {
		for i := range s.Endpoints {
			errs = append(errs, checkEndpoint(s.AddressType, &s.Endpoints[i], endpoints.Index(i))...)
		}
	}
	return append(errs, checkEndpointPorts(s.Ports, field.NewPath("ports"))...)
}

func checkAddressType(t discoveryv1.AddressType) field.ErrorList {
	path := field.NewPath("addressType")
	switch t {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN:
		return nil
	case "":
		return field.ErrorList{field.Required(path, "")}
	}
	return field.ErrorList{field.NotSupported(path, string(t), []string{"FQDN", "IPv4", "IPv6"})}
}

func checkEndpoint(t discoveryv1.AddressType, e *discoveryv1.Endpoint, at *field.Path) field.ErrorList {
	addresses := at.Child("addresses")
	if len(e.Addresses) == 0 {
		return field.ErrorList{field.Required(addresses, "")}
	}
	if len(e.Addresses) > maxEndpointAddresses {
		return field.ErrorList{field.TooMany(addresses, len(e.Addresses), maxEndpointAddresses)}
	}
	var errs field.ErrorList
	for i, a := range e.Addresses {
		errs = append(errs, checkAddress(t, a, addresses.Index(i))...)
	}
	return errs
}

func checkAddress(t discoveryv1.AddressType, address string, at *field.Path) field.ErrorList {
	if t == discoveryv1.AddressTypeFQDN {
		return invalid(at, address, validation.IsDNS1123Subdomain(address))
	}
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" || ip.Is4() != (t == discoveryv1.AddressTypeIPv4) || ip.Is4In6() {
		return field.ErrorList{field.Invalid(at, address, "is no "+string(t)+" address")}
	}
	switch {
	case ip.IsUnspecified():
		return field.ErrorList{field.Invalid(at, address, "stands for any address: nothing can be sent to it")}
	case ip.IsLinkLocalUnicast():
		return field.ErrorList{field.Invalid(at, address, "is link-local: metadata services are there")}
	case ip.IsMulticast():
		return field.ErrorList{field.Invalid(at, address, "is a multicast address")}
	}
	return nil
}

func checkEndpointPorts(ports []discoveryv1.EndpointPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(ports) > maxEndpointPorts {
		return field.ErrorList{field.TooMany(path, len(ports), maxEndpointPorts)}
	}
	names := map[string]bool{}
	for i := range ports {
		p, at := &ports[i], path.Index(i)
		fillEndpointPort(p)
		if *p.Name != "" {
			errs = append(errs, invalid(at.Child("name"), *p.Name, validation.IsDNS1123Label(*p.Name))...)
		}
		if names[*p.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), *p.Name))
		}
		names[*p.Name] = true
		errs = append(errs, checkProtocol(at.Child("protocol"), *p.Protocol)...)
		if p.Port != nil {
			errs = append(errs, invalid(at.Child("port"), *p.Port, validation.IsValidPortNum(int(*p.Port)))...)
		}
	}
	return errs
}

func fillEndpointPort(p *discoveryv1.EndpointPort) {
	if p.Name == nil {
		p.Name = new(string)
	}
	if p.Protocol == nil {
		tcp := corev1.ProtocolTCP
		p.Protocol = &tcp
	}
}
