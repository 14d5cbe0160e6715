package mlplugin

import (
	"net"
	"reflect"
	"strings"

	"github.com/coredns/coredns/plugin"

	"github.com/mlplugin/mlplugin/coredns/mlplugin/qname"
)

// zoneSet holds canonical names of zones.
type zoneSet map[string]bool

// newZoneSet takes zones in presentation form; the root is left out, as every name is below it.
func newZoneSet(zones ...string) zoneSet {
	set := zoneSet{}
	for _, zone := range zones {
		if name := qname.Canonical(plugin.Name(zone).Normalize()); name != "." {
			set[name] = true
		}
	}
	return set
}

// contains says whether the canonical name is at or below one of the zones.
func (z zoneSet) contains(name string) bool {
	for zone := range z {
		if !strings.HasSuffix(name, zone) {
			continue
		}
		if at := len(name) - len(zone); at == 0 || name[at-1] == '.' && (at < 2 || name[at-2] != '\\') {
			return true
		}
	}
	return false
}

// authoritative are the plugins whose zones are the operator's own.
var authoritative = map[string]bool{
	"auto": true, "azure": true, "clouddns": true, "etcd": true, "file": true, "hosts": true,
	"k8s_external": true, "kubernetes": true, "nomad": true, "route53": true, "secondary": true,
}

// staticHosts is what the hosts plugin offers.
type staticHosts interface {
	LookupStaticHostV4(host string) []net.IP
	LookupStaticHostV6(host string) []net.IP
}

// neighbours looks down the chain for zones of other plugins and for static hosts. It
// goes by the fields that CoreDNS's plugins share, so that none of them becomes a part
// of every binary with this one.
func neighbours(next plugin.Handler) (zones []string, hosts []staticHosts) {
	// A plugin of a shape that reflection cannot walk through ends the search, not the start.
	defer func() { _ = recover() }()
	for range 200 { // no chain is longer, and none can hold us up
		if next == nil {
			break
		}
		if authoritative[next.Name()] {
			zones = append(zones, zonesOf(reflect.ValueOf(next))...)
		}
		if h, ok := next.(staticHosts); ok {
			hosts = append(hosts, h)
		}
		field := fieldOf(reflect.ValueOf(next), "Next")
		if !field.IsValid() || !field.CanInterface() {
			break
		}
		next, _ = field.Interface().(plugin.Handler)
	}
	return zones, hosts
}

// zonesOf reads the exported field that plugins keep their zones in.
func zonesOf(handler reflect.Value) []string {
	field := fieldOf(handler, "Zones")
	if !field.IsValid() {
		field = fieldOf(handler, "Origins")
	}
	if field.IsValid() && (field.Kind() == reflect.Struct || field.Kind() == reflect.Pointer) {
		field = fieldOf(field, "Names")
	}
	if !field.IsValid() || !field.CanInterface() {
		return nil
	}
	switch zones := field.Interface().(type) {
	case []string:
		return zones
	case plugin.Zones:
		return zones
	}
	return nil
}

// fieldOf gives a field of a struct or of what points to one, not valid where there is none.
func fieldOf(value reflect.Value, name string) reflect.Value {
	for value.Kind() == reflect.Pointer && !value.IsNil() {
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return value.FieldByName(name)
}
