package egress_test

import (
	"testing"

	"github.com/hopgate/hopgate/authz/surface/egress"
)

func TestClassifyName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]egress.NameClass{
		"api.example.com": egress.NamePublic, "a.example": egress.NamePublic, "web.corp": egress.NamePublic,
		"localhost.example": egress.NamePublic, "notlocal.com": egress.NamePublic, "internal.example.com": egress.NamePublic,
		"mymetadata.goog": egress.NamePublic, "svc.example": egress.NamePublic, "contest.example": egress.NamePublic,
		"localhost": egress.NameLocal, "a.localhost": egress.NameLocal, "localhost.localdomain": egress.NameLocal,
		"printer.local": egress.NameLocal, "host.docker.internal": egress.NameLocal, "a.b.internal": egress.NameLocal,
		"router": egress.NameSingle, "metadata": egress.NameSingle, "kubernetes": egress.NameSingle, "com": egress.NameSingle,
		"nas.home.arpa": egress.NameSpecial, "ipv4only.arpa": egress.NameSpecial, "1.0.0.127.in-addr.arpa": egress.NameSpecial,
		"x.test": egress.NameSpecial, "x.invalid": egress.NameSpecial, "abc.onion": egress.NameSpecial, "x.alt": egress.NameSpecial,
		"kubernetes.default": egress.NameCluster, "kube-dns.kube-system": egress.NameCluster, "default.example": egress.NamePublic,
		"kubernetes.default.svc": egress.NameCluster, "a.b.svc.cluster.local": egress.NameCluster, "cluster.local": egress.NameCluster,
		"metadata.google.internal": egress.NameMetadata, "x.metadata.google.internal": egress.NameMetadata,
		"metadata.goog": egress.NameMetadata, "metadata.tencentyun.com": egress.NameMetadata, "metadata.platformequinix.com": egress.NameMetadata,
	} {
		if got := egress.ClassifyName(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
