package cdn

import (
	_ "embed"
	"strings"
)

// POPTableVersion is the version of the table from airports to countries: CDNs
// reuse codes, and open points of presence.
const POPTableVersion = "2026-11"

// popTable names points of presence by country: the IATA codes of airports and
// cities, and the few codes of the same form that CDNs made up.
//
//go:embed pops.csv
var popTable string

var countryOf, isCountry = func() (codes map[string]string, countries map[string]bool) {
	codes, countries = map[string]string{}, map[string]bool{}
	for line := range strings.Lines(popTable) {
		country, list, _ := strings.Cut(line, ",")
		for _, code := range strings.Fields(list) {
			codes[code] = country
		}
		countries[country] = true
	}
	delete(countries, "country") // the heading
	return codes, countries
}()

// CountryOfAirport is the ISO 3166-1 alpha-2 code of the country in which the
// airport or city with that IATA code lies, or empty. The case does not matter.
func CountryOfAirport(iata string) string {
	if len(iata) != 3 {
		return ""
	}
	return countryOf[strings.ToUpper(iata)]
}

// airport is the country of a name that starts with an airport: FRA56-P5, fra1.
func airport(pop string) string {
	if len(pop) < 3 {
		return ""
	}
	return CountryOfAirport(pop[:3])
}

// prefix is the country of a name that starts with one: DE1, defr, ID_JI_….
func prefix(pop string) string {
	if len(pop) < 2 {
		return ""
	}
	return country(pop[:2])
}

// country is the ISO code for two letters that may be one, or empty.
func country(code string) string {
	code = strings.ToUpper(code)
	if code == "UK" {
		return "GB"
	}
	if !isCountry[code] {
		return ""
	}
	return code
}

// get is a header that holds the point of presence as it is.
func get(name string) func(header) string {
	return func(h header) string { return h.get(name) }
}

// afterHyphen is what stands behind the last hyphen of a header's last member.
func afterHyphen(name string) func(header) string {
	return func(h header) string {
		v := h.last(name)
		i := strings.LastIndexByte(v, '-')
		if i < 0 {
			return ""
		}
		return v[i+1:]
	}
}

// viaHost is the host of the last entry of Via, "1.1 host (comment)", up to its
// first dot.
func viaHost(h header) string {
	f := strings.Fields(h.last("Via"))
	if len(f) < 2 {
		return ""
	}
	host, _, _ := strings.Cut(f[1], ".")
	return host
}
