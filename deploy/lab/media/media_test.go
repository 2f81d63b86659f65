package media

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const maxBytes = 3 << 20

func TestSize(t *testing.T) {
	var total int64
	err := fs.WalkDir(FS, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxBytes {
		t.Errorf("media take %d bytes, at most %d are allowed", total, maxBytes)
	}
}

// uris finds what a playlist's line names: a URI line, or a tag's URI.
var uris = regexp.MustCompile(`^([^#\s].*)$|URI="([^"]+)"`)

// TestPlaylists follows each master playlist down to the segments.
func TestPlaylists(t *testing.T) {
	for _, master := range []string{"ts/master.m3u8", "aes/master.m3u8", "cmaf/master.m3u8", "range/master.m3u8"} {
		t.Run(path.Dir(master), func(t *testing.T) {
			playlists := []string{master}
			seen := map[string]int{}
			for len(playlists) > 0 {
				name := playlists[0]
				playlists = playlists[1:]
				for _, uri := range named(t, name) {
					seen[uri]++
					if path.Ext(uri) == ".m3u8" {
						playlists = append(playlists, uri)
					} else if _, err := fs.Stat(FS, uri); err != nil {
						t.Errorf("%s names a file that is not there: %v", name, err)
					}
				}
			}
			if len(seen) < 4 {
				t.Errorf("%s leads to %v only", master, seen)
			}
		})
	}
}

func named(t *testing.T, playlist string) []string {
	t.Helper()
	var names []string
	sc := bufio.NewScanner(bytes.NewReader(read(t, playlist)))
	for sc.Scan() {
		for _, m := range uris.FindAllStringSubmatch(sc.Text(), -1) {
			names = append(names, path.Join(path.Dir(playlist), m[1]+m[2]))
		}
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := FS.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTemplates expands the templates of both MPDs.
func TestTemplates(t *testing.T) {
	id := regexp.MustCompile(`<Representation id="([^"]+)"`)
	for _, name := range []string{"cmaf/manifest-number.mpd", "cmaf/manifest-timeline.mpd"} {
		ids := id.FindAllSubmatch(read(t, name), -1)
		if len(ids) != 3 {
			t.Fatalf("%s has %d representations, want 3", name, len(ids))
		}
		for _, m := range ids {
			folder := "cmaf/" + string(m[1]) + "/"
			read(t, folder+"init.mp4")
			for n := range Segments {
				read(t, folder+strconv.Itoa(n)+".m4s")
			}
		}
	}
}

// TestBandwidth holds the promised peak rates against the files.
func TestBandwidth(t *testing.T) {
	attr := regexp.MustCompile(`[:,]BANDWIDTH=(\d+)`)
	for master, renditions := range map[string][][]string{
		"ts/master.m3u8":   {{"ts/360p"}, {"ts/720p"}},
		"aes/master.m3u8":  {{"aes/240p"}, {"aes/360p"}},
		"cmaf/master.m3u8": {{"cmaf/v360", "cmaf/a48"}, {"cmaf/v720", "cmaf/a48"}},
	} {
		found := attr.FindAllSubmatch(read(t, master), -1)
		if len(found) != len(renditions) {
			t.Fatalf("%s has %d variants, want %d", master, len(found), len(renditions))
		}
		for i, folders := range renditions {
			want := 0
			for _, f := range folders {
				want += peak(t, f)
			}
			got, _ := strconv.Atoi(string(found[i][1]))
			if got < want || got > want+len(folders) {
				t.Errorf("%s: BANDWIDTH of %v is %d, its files' peak is %d bit/s", master, folders, got, want)
			}
		}
	}
}

// peak is the rate of the largest segment in folder, in bit/s.
func peak(t *testing.T, folder string) int {
	t.Helper()
	most := 0
	for n := range Segments {
		for _, ext := range []string{".ts", ".m4s"} {
			if b, err := FS.ReadFile(folder + "/" + strconv.Itoa(n) + ext); err == nil {
				most = max(most, len(b))
			}
		}
	}
	return int(float64(most) * 8 / SegmentSeconds)
}

// TestCodecs compares the CODECS of avc1 with the avcC box: profile,
// constraints and level are its second to fourth byte.
func TestCodecs(t *testing.T) {
	master := string(read(t, "cmaf/master.m3u8"))
	for _, folder := range []string{"v360", "v720"} {
		init := read(t, "cmaf/"+folder+"/init.mp4")
		at := bytes.Index(init, []byte("avcC"))
		if at < 0 {
			t.Fatalf("%s has no avcC", folder)
		}
		if codec := "avc1." + hex.EncodeToString(init[at+5:at+8]); !strings.Contains(master, codec) {
			t.Errorf("%s is %s, the master playlist does not say so", folder, codec)
		}
	}
}
