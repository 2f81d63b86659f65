package dash

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// sidx is a box of the given version whose references are pairs of size and
// duration.
func sidx(version byte, scale uint32, earliest, offset uint64, refs ...uint32) []byte {
	b := []byte{0, 0, 0, 0, 's', 'i', 'd', 'x', version, 0, 0, 0, 0, 0, 0, 1}
	b = binary.BigEndian.AppendUint32(b, scale)
	if version == 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(earliest))
		b = binary.BigEndian.AppendUint32(b, uint32(offset))
	} else {
		b = binary.BigEndian.AppendUint64(b, earliest)
		b = binary.BigEndian.AppendUint64(b, offset)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(refs)/2))
	for i := 0; i+1 < len(refs); i += 2 {
		b = binary.BigEndian.AppendUint32(b, refs[i])
		b = binary.BigEndian.AppendUint32(b, refs[i+1])
		b = binary.BigEndian.AppendUint32(b, 0x90000000)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

const onDemand = `<AdaptationSet mimeType="video/mp4"><Representation id="v"><BaseURL>v.mp4</BaseURL>
	<SegmentBase indexRange="800-967" timescale="90000" presentationTimeOffset="90000"><Initialization range="0-799"/></SegmentBase></Representation></AdaptationSet>`

// TestSegmentBase: 5.3.9.2, the segments follow the index by first_offset.
func TestSegmentBase(t *testing.T) {
	r := rep(t, mpd(static60, onDemand))
	init, ok := r.Init()
	if !ok || init.URL != dir+"v.mp4" || init.ByteRange != (ByteRange{0, 800}) {
		t.Errorf("Init: %+v %v", init, ok)
	}
	index, ok := r.Index()
	if !ok || index.URL != dir+"v.mp4" || index.ByteRange != (ByteRange{800, 168}) {
		t.Errorf("Index: %+v %v", index, ok)
	}
	if _, err := r.First(); !errors.Is(err, ErrIndexed) {
		t.Errorf("First before the index: %v", err)
	}
	free := []byte{0, 0, 0, 8, 'f', 'r', 'e', 'e'}
	for version := range byte(2) {
		box := append(free, sidx(version, 1000, 1000, 50, 5000, 4000, 6000, 2000)...)
		read, err := r.WithIndex(box)
		if err != nil {
			t.Fatal(err)
		}
		from := 800 + int64(len(box)) + 50
		s, err := read.First()
		ref(t, "First", s, err, Ref{URL: dir + "v.mp4", ByteRange: ByteRange{from, 5000}, Duration: 4 * time.Second, Number: 1, Time: 1000})
		s, err = read.At(4 * time.Second)
		ref(t, "At 4 s", s, err, Ref{URL: dir + "v.mp4", ByteRange: ByteRange{from + 5000, 6000}, Start: 4 * time.Second, Duration: 2 * time.Second, Number: 2, Time: 5000})
		s, err = read.At(6 * time.Second)
		noSegment(t, "At the end", s, err)
	}
}

func TestIndexInvalid(t *testing.T) {
	r := rep(t, mpd(static60, onDemand))
	good := sidx(0, 1000, 0, 0, 100, 10)
	for name, box := range map[string][]byte{
		"nothing":        nil,
		"cut short":      good[:len(good)-1],
		"box of size 0":  {0, 0, 0, 0, 's', 'i', 'd', 'x'},
		"no sidx":        {0, 0, 0, 8, 'f', 'r', 'e', 'e'},
		"no references":  sidx(1, 1000, 0, 0),
		"timescale 0":    sidx(0, 0, 0, 0, 100, 10),
		"further index":  sidx(0, 1000, 0, 0, 1<<31|100, 10),
		"empty segment":  sidx(0, 1000, 0, 0, 0, 10),
		"beyond 62 bits": sidx(1, 1000, 1<<63, 0, 100, 10),
	} {
		if _, err := r.WithIndex(box); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := rep(t, mpd(static60, `<AdaptationSet><Representation id="v"/></AdaptationSet>`)).WithIndex(good); !errors.Is(err, ErrInvalid) {
		t.Errorf("without indexRange: %v", err)
	}
}
