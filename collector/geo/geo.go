// Package geo says where a run came from and which network served it, from
// MaxMind databases (.mmdb): City or Country, and ASN or ISP, told apart by
// their own metadata.
//
// [Open] gives a [DB]; [DB.Locate] looks an agent's address up once per
// request, [DB.Enrich] fills one run. A run without a matching database keeps
// null fields. [DB.Watch] reads files anew when they change.
package geo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	geoip2 "github.com/oschwald/geoip2-golang/v2"
)

// DefaultPoll is how often Watch looks for changed files.
const DefaultPoll = 30 * time.Second

// maxFile bounds a database, which is held in memory: the largest of MaxMind's
// City databases are under 200 MB.
const maxFile = 1 << 30

// Config names the databases. The zero value is a DB that knows nothing.
type Config struct {
	Files []string      // any number; where two know an address, the first wins
	Poll  time.Duration // between two looks at the files; zero means DefaultPoll
	Log   *slog.Logger  // nil means slog.Default
}

// Place is where an address is. What is not known is empty.
type Place struct {
	Country     string // ISO 3166-1 alpha-2
	Subdivision string // ISO 3166-2, such as BR-SP
	City        string // its English name
	ASN         int64  // 0 is not known
	ASOrg       string
	Anycast     bool // the database says that it is announced from several places
}

// DB looks addresses up. Its methods may be called at the same time.
type DB struct {
	cfg   Config
	files atomic.Pointer[[]file]
}

// file is one database as it was read. The bytes are on the heap, not mapped:
// a file that is overwritten in place would otherwise crash the process.
type file struct {
	path   string
	mtime  time.Time
	size   int64
	reader *geoip2.Reader
	city   bool
	asn    bool
}

// Open reads all databases. It fails when one is missing, broken or of a type
// that holds neither places nor networks.
func Open(cfg Config) (*DB, error) {
	if cfg.Poll <= 0 {
		cfg.Poll = DefaultPoll
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	db := &DB{cfg: cfg}
	files := make([]file, 0, len(cfg.Files))
	for _, path := range cfg.Files {
		f, err := load(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	db.files.Store(&files)
	return db, nil
}

func load(path string) (file, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return file{}, fmt.Errorf("geo: %w", err)
	}
	if fi.Size() > maxFile {
		return file{}, fmt.Errorf("geo: %s has %d bytes, at most %d are read", path, fi.Size(), maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return file{}, fmt.Errorf("geo: %w", err)
	}
	reader, err := geoip2.OpenBytes(text)
	if err != nil {
		return file{}, fmt.Errorf("geo: %s: %w", path, err)
	}
	f := file{path: path, mtime: fi.ModTime(), size: fi.Size(), reader: reader}
	probe := netip.IPv4Unspecified()
	var wrong geoip2.InvalidMethodError
	_, err = reader.City(probe)
	f.city = !errors.As(err, &wrong)
	_, err = reader.ASN(probe)
	f.asn = !errors.As(err, &wrong)
	if !f.city && !f.asn {
		return file{}, fmt.Errorf("geo: %s: a database of type %s holds neither places nor networks",
			path, reader.Metadata().DatabaseType)
	}
	return f, nil
}

// Watch reads databases anew when their files change, until ctx ends. A file
// that is broken or gone is logged once, and the one read before stays.
func (db *DB) Watch(ctx context.Context) {
	if len(db.cfg.Files) == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(db.cfg.Poll)
	defer tick.Stop()
	failed := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			db.reload(failed)
		}
	}
}

// reload swaps in what has changed. failed holds the failures that have been
// logged, by path.
func (db *DB) reload(failed map[string]string) {
	old := *db.files.Load()
	files := make([]file, len(old))
	copy(files, old)
	changed := false
	for i, f := range files {
		fi, err := os.Stat(f.path)
		if err == nil && fi.ModTime().Equal(f.mtime) && fi.Size() == f.size {
			continue
		}
		fresh, err := load(f.path)
		if err != nil {
			if failed[f.path] != err.Error() {
				failed[f.path] = err.Error()
				db.cfg.Log.Warn("database not reloaded, the one read before stays", "error", err)
			}
			continue
		}
		delete(failed, f.path)
		files[i], changed = fresh, true
		db.cfg.Log.Info("database reloaded", "file", f.path,
			"type", fresh.reader.Metadata().DatabaseType, "built", fresh.reader.Metadata().BuildTime())
	}
	if changed {
		db.files.Store(&files)
	}
}

// Locate is where addr is, as the databases know. An address that they do not
// know, or none, gives the zero Place.
func (db *DB) Locate(addr netip.Addr) Place {
	var p Place
	if !addr.IsValid() {
		return p
	}
	addr = addr.Unmap().WithZone("")
	for _, f := range *db.files.Load() {
		if f.city && p.Country == "" {
			p.place(f.reader, addr)
		}
		if f.asn && p.ASN == 0 {
			p.network(f.reader, addr)
		}
	}
	return p
}

func (p *Place) place(r *geoip2.Reader, addr netip.Addr) {
	c, err := r.City(addr)
	if err != nil { // a damaged database, or IPv6 in one for IPv4: not known
		return
	}
	p.Anycast = p.Anycast || c.Traits.IsAnycast
	p.Country = c.Country.ISOCode
	p.City = c.City.Names.English
	if p.Country != "" && len(c.Subdivisions) > 0 && c.Subdivisions[0].ISOCode != "" {
		p.Subdivision = p.Country + "-" + c.Subdivisions[0].ISOCode
	}
}

func (p *Place) network(r *geoip2.Reader, addr netip.Addr) {
	n, err := r.ASN(addr)
	if err != nil {
		return
	}
	p.ASN, p.ASOrg = int64(n.AutonomousSystemNumber), n.AutonomousSystemOrganization
}
