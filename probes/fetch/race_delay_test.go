package fetch

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The delays of a race to the nanosecond, which needs a clock that nothing on
// the machine holds up.
func TestRaceDelays(t *testing.T) {
	const ms = time.Millisecond
	type at = map[netip.Addr]time.Duration
	errRefused := errors.New("refused")
	six, other, four := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("192.0.2.1")
	for _, tt := range []struct {
		name    string
		style   Eyeballs
		network string
		refused bool // else IPv6 does not answer
		late    time.Duration
		addrs   []netip.Addr // of which IPv4 comes late
		want    at           // when each is tried
		ends    error
	}{
		{"RFC 8305", EyeballsRFC8305, "tcp", false, 0, []netip.Addr{six, four}, at{six: 0, four: 250 * ms}, nil},
		{"Chromium", EyeballsChromium, "tcp", false, 0, []netip.Addr{six, four}, at{six: 0, four: 300 * ms}, nil},
		{"families take turns, RFC 8305", EyeballsRFC8305, "tcp", false, 0, []netip.Addr{six, other, four}, at{six: 0, four: 250 * ms}, nil},
		{"a row for each family, Chromium", EyeballsChromium, "tcp", false, 0, []netip.Addr{six, other, four}, at{six: 0, four: 300 * ms}, nil},
		{"refused, RFC 8305", EyeballsRFC8305, "tcp", true, 0, []netip.Addr{six, four}, at{six: 0, four: 0}, nil},
		{"refused, Chromium", EyeballsChromium, "tcp", true, 0, []netip.Addr{six, other, four}, at{six: 0, other: 0, four: 0}, nil},
		{"IPv4 late, RFC 8305", EyeballsRFC8305, "tcp", false, 100 * ms, []netip.Addr{six, four}, at{six: 0, four: 250 * ms}, nil},
		{"IPv4 late, Chromium", EyeballsChromium, "tcp", false, 100 * ms, []netip.Addr{six, four}, at{six: 0, four: 300 * ms}, nil},
		{"IPv4 later than the delay, RFC 8305", EyeballsRFC8305, "tcp", false, 400 * ms, []netip.Addr{six, four}, at{six: 0, four: 400 * ms}, nil},
		{"IPv4 later than the delay, Chromium", EyeballsChromium, "tcp", false, 400 * ms, []netip.Addr{six, four}, at{six: 0, four: 400 * ms}, nil},
		{"IPv4 later than the refusal, RFC 8305", EyeballsRFC8305, "tcp", true, 100 * ms, []netip.Addr{six, four}, at{six: 0, four: 100 * ms}, nil},
		{"IPv4 later than the refusal, Chromium", EyeballsChromium, "tcp", true, 100 * ms, []netip.Addr{six, four}, at{six: 0, four: 100 * ms}, nil},
		{"QUIC, RFC 8305", EyeballsRFC8305, "quic", false, 0, []netip.Addr{six, four}, at{six: 0, four: 250 * ms}, nil},
		{"QUIC, Chromium", EyeballsChromium, "quic", false, 0, []netip.Addr{six, four}, at{six: 0}, context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				rec := &record{}
				f := field{addrs: slices.Clone(tt.addrs)}
				if tt.late > 0 {
					more := make(chan struct{})
					time.AfterFunc(tt.late, func() { close(more) })
					f = field{addrs: slices.DeleteFunc(f.addrs, netip.Addr.Is4), more: more, rest: func() []netip.Addr { return tt.addrs }}
				}
				begun := time.Now()
				r := race[io.Closer]{rec: rec, network: tt.network, port: 443, style: tt.style, field: f,
					connect: func(ctx context.Context, to netip.AddrPort) (io.Closer, error) {
						switch {
						case to.Addr().Is4():
							return io.NopCloser(nil), nil
						case tt.refused:
							return nil, errRefused
						}
						<-ctx.Done()
						return nil, ctx.Err()
					}}
				if _, err := r.run(ctx); !errors.Is(err, tt.ends) {
					t.Errorf("%v, want %v", err, tt.ends)
				}
				got := at{}
				for _, a := range rec.attempts {
					got[a.Addr.Addr()] = a.Start.Sub(begun)
				}
				if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
					t.Errorf("attempts begin (-want +got):\n%s", diff)
				}
			})
		})
	}
}
