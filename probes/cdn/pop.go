package cdn

import (
	_ "embed"
	"strings"
)

// POPTableVersion is the version of the table from airports to cities and
// countries: CDNs reuse codes, and open points of presence. Of the codes that
// Cloudflare's list of its data centres has (August 2026) city and country are
// that list's; of the others they are those of the airport in OpenFlights' list.
const POPTableVersion = "2026-11.3"

// popTable names points of presence by country and city: the IATA codes of
// airports and cities, and the few codes of the same form that CDNs made up, of
// some of which the city is not known.
//
//go:embed pops.csv
var popTable string

// place is where a point of presence is.
type place struct{ country, city string }

var placeOf, isCountry, cityOf = func() (codes map[string]place, countries map[string]bool, cities map[place]string) {
	codes, countries, cities = map[string]place{}, map[string]bool{}, map[place]string{}
	_, lines, _ := strings.Cut(popTable, "\n") // the heading
	for line := range strings.Lines(lines) {
		if f := strings.Split(strings.TrimSpace(line), ","); len(f) == 3 {
			codes[f[0]] = place{f[1], f[2]}
			countries[f[1]] = true
			cities[place{f[1], squeezed(f[2])}] = f[2]
		}
	}
	return codes, countries, cities
}()

// plain takes the accents off the letters of the table's cities.
var plain = strings.NewReplacer("á", "a", "â", "a", "ã", "a", "ă", "a", "ç", "c", "é", "e", "í", "i", "ó", "o", "ș", "s", "ü", "u")

// squeezed is a city as CDNs write it: newyork, SANDIEGO, saopaulo.
func squeezed(city string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, plain.Replace(strings.ToLower(city)))
}

// cityNamed is a city of a country as the table writes it, or empty, by its
// name in whatever spelling.
func cityNamed(country, name string) string { return cityOf[place{country, squeezed(name)}] }

// placeOfAirport is where the airport or city with that IATA code lies; what is
// not known is empty. The case does not matter.
func placeOfAirport(iata string) place {
	if len(iata) != 3 {
		return place{}
	}
	return placeOf[strings.ToUpper(iata)]
}

// CountryOfAirport is the ISO 3166-1 alpha-2 code of the country in which the
// airport or city with that IATA code lies, or empty. The case does not matter.
func CountryOfAirport(iata string) string { return placeOfAirport(iata).country }

// cityOfAirport is the city in which the airport or city with that IATA code
// lies, in English, or empty. The case does not matter.
func cityOfAirport(iata string) string { return placeOfAirport(iata).city }

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
