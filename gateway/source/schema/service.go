package schema

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkService fills in what the API server would, and checks what a route can
// come to use: ports, addresses and the external name.
func checkService(s *corev1.Service) field.ErrorList {
	spec := field.NewPath("spec")
	if s.Spec.Type == "" {
		s.Spec.Type = corev1.ServiceTypeClusterIP
	}
	errs := checkServiceType(s, spec)
	errs = append(errs, checkClusterIPs(s, spec)...)
	headless := s.Spec.ClusterIP == corev1.ClusterIPNone || s.Spec.Type == corev1.ServiceTypeExternalName
	if len(s.Spec.Ports) == 0 && !headless {
		errs = append(errs, field.Required(spec.Child("ports"), ""))
	}
	return append(errs, checkServicePorts(s.Spec.Ports, spec.Child("ports"))...)
}

func checkServiceType(s *corev1.Service, spec *field.Path) field.ErrorList {
	switch s.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
		return nil
	case corev1.ServiceTypeExternalName:
		return checkHostname(spec.Child("externalName"), s.Spec.ExternalName)
	}
	return field.ErrorList{field.NotSupported(spec.Child("type"), string(s.Spec.Type), []string{
		string(corev1.ServiceTypeClusterIP), string(corev1.ServiceTypeExternalName),
		string(corev1.ServiceTypeLoadBalancer), string(corev1.ServiceTypeNodePort),
	})}
}

func checkHostname(path *field.Path, name string) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return invalid(path, name, validation.IsDNS1123Subdomain(name))
}

func checkClusterIPs(s *corev1.Service, spec *field.Path) field.ErrorList {
	var errs field.ErrorList
	check := func(path *field.Path, ip string) {
		if ip == "" || ip == corev1.ClusterIPNone {
			return
		}
		if _, err := netip.ParseAddr(ip); err != nil {
			errs = append(errs, field.Invalid(path, ip, `is no IP address and not "None"`))
		}
	}
	check(spec.Child("clusterIP"), s.Spec.ClusterIP)
	for i, ip := range s.Spec.ClusterIPs {
		check(spec.Child("clusterIPs").Index(i), ip)
	}
	return errs
}

func checkServicePorts(ports []corev1.ServicePort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names, numbers := map[string]bool{}, map[portKey]bool{}
	for i := range ports {
		p, at := &ports[i], path.Index(i)
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		errs = append(errs, checkServicePort(p, at, len(ports) > 1)...)
		errs = append(errs, checkTargetPort(p, at.Child("targetPort"))...)
		if p.Name != "" && names[p.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		}
		if key := (portKey{p.Protocol, p.Port}); numbers[key] {
			errs = append(errs, field.Duplicate(at.Child("port"), p.Port))
		}
		names[p.Name], numbers[portKey{p.Protocol, p.Port}] = true, true
	}
	return errs
}

type portKey struct {
	protocol corev1.Protocol
	port     int32
}

func checkServicePort(p *corev1.ServicePort, at *field.Path, nameNeeded bool) field.ErrorList {
	errs := invalid(at.Child("port"), p.Port, validation.IsValidPortNum(int(p.Port)))
	switch {
	case p.Name != "":
		errs = append(errs, invalid(at.Child("name"), p.Name, validation.IsDNS1123Label(p.Name))...)
	case nameNeeded:
		errs = append(errs, field.Required(at.Child("name"), "of several ports each has a name"))
	}
	errs = append(errs, checkProtocol(at.Child("protocol"), p.Protocol)...)
	return errs
}

// checkTargetPort fills in the port where there is none.
func checkTargetPort(p *corev1.ServicePort, at *field.Path) field.ErrorList {
	switch {
	case p.TargetPort == (intstr.IntOrString{}) || p.TargetPort == intstr.FromString(""):
		p.TargetPort = intstr.FromInt32(p.Port)
		return nil
	case p.TargetPort.Type == intstr.Int:
		return invalid(at, p.TargetPort.IntVal, validation.IsValidPortNum(int(p.TargetPort.IntVal)))
	}
	return invalid(at, p.TargetPort.StrVal, validation.IsValidPortName(p.TargetPort.StrVal))
}

func checkProtocol(path *field.Path, p corev1.Protocol) field.ErrorList {
	switch p {
	case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, string(p), []string{"SCTP", "TCP", "UDP"})}
}

// invalid makes one error of each message.
func invalid(path *field.Path, value any, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range messages {
		errs = append(errs, field.Invalid(path, value, msg))
	}
	return errs
}
