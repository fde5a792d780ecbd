package schema
import ("testing";"fmt";"sigs.k8s.io/yaml"; "os"; "strings"; "k8s.io/apimachinery/pkg/util/json"
"github.com/hopgate/hopgate/gateway/source")
func TestExp(t *testing.T) {
	b, _ := os.ReadFile("/tmp/exp.yaml")
	c := New()
	for _, d := range strings.Split(string(b), "\n---\n") {
		j, err := yaml.YAMLToJSON([]byte(d)); if err != nil { fmt.Println(err); continue }
		var o map[string]any
		json.Unmarshal(j, &o)
		av := o["apiVersion"].(string); g := ""; if i := strings.Index(av, "/"); i>0 { g = av[:i] }
		k, ok := source.Lookup(g, o["kind"].(string))
		fmt.Println("==", k.Kind, ok)
		v, fs := c.Check(k, o)
		for _, f := range fs { fmt.Printf("  %+v\n", f) }
		if v != nil { j, _ := json.Marshal(v); fmt.Println("  ", string(j)) }
	}
}
