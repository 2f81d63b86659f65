package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// onwards is how a play went on after its first picture; times in ms.
type onwards struct {
	Media   float64 `json:"media_ms"` // shown
	Stalls  int     `json:"stalls"`   // how often the picture stood still
	Stalled float64 `json:"stall_ms"` // for how long, all together
	Waits   int     `json:"waits"`    // how often the player said that it waits; of a probe nothing does
	Waited  float64 `json:"wait_ms"`
	Ahead   float64 `json:"ahead_ms"` // the most that was ahead of the playhead, of all tracks
	Heights []shown `json:"heights"`  // of the pictures, each change
}

// shown is a height since an instant, counted from the first picture, of a probe
// from when playback started.
type shown struct {
	At     float64 `json:"at_ms"`
	Height int     `json:"height"`
}

// ratio is the share of the time in which the picture stood still.
func (o *onwards) ratio() float64 { return o.Stalled / max(o.Media+o.Stalled, 1) }

// fallAfter is how long after its first request a play's line changes its rate.
const fallAfter = 8 * time.Second

// playWays are the lines that are played on over, with the rate later, in kbit/s.
var playWays = []struct {
	way
	later int
}{{way{40, 10}, 0}, {way{40, 3}, 0}, {way{40, 1}, 0}, {way{40, 10}, 1000}}

// playStreams are the streams that are played on, by player.
var playStreams = map[string]string{"hlsjs": "cmaf ts", "shaka": "cmaf", "dashjs": "timeline"}

// playPlan is what plays on for so many seconds, as often as asked.
func playPlan(seconds, rounds int, only string) []batch {
	random := rand.New(rand.NewPCG(5, 6))
	var all []batch
	for round := range rounds {
		for _, w := range playWays {
			b := batch{way: w.way}
			for _, p := range players {
				for _, s := range p.streams {
					c := cell{Player: p.name, Stream: s.name, way: w.way, Play: seconds, Later: w.later}
					if slices.Contains(strings.Fields(playStreams[p.name]), s.name) && strings.Contains(c.String(), only) {
						b.tasks = append(b.tasks, task{c, p, s.path, round})
					}
				}
			}
			random.Shuffle(len(b.tasks), func(i, j int) { b.tasks[i], b.tasks[j] = b.tasks[j], b.tasks[i] })
			all = append(all, b)
		}
	}
	return all
}

var errFixed = errors.New("the lab's shaper cannot change its rate")

// fall changes the line's rate in the middle of a play where the task says so.
// restore ends that, and makes the line as it was.
func (w *world) fall(ctx context.Context, t task, a *act) (restore func() error) {
	if t.Later == 0 {
		return func() error { return nil }
	}
	ctx, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var fell error
	wg.Go(func() {
		select {
		case <-a.begun:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(fallAfter)
		defer timer.Stop()
		select {
		case <-timer.C:
			fell = w.rate(float64(t.Later))
		case <-ctx.Done():
		}
	})
	return func() error {
		end()
		wg.Wait()
		return errors.Join(fell, w.rate(float64(t.Mbps)*1000))
	}
}

// stillness is how long nothing is sent before a line is at rest: longer than what
// waits for the slowest takes.
const stillness = time.Second

// rest waits until the line is: a play that goes on is ended in the middle of a
// segment, and what is on its way then would hold the next one up.
func (w *world) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	looks := time.NewTicker(stillness)
	defer looks.Stop()
	for before := w.sent(); ; {
		select {
		case <-looks.C:
		case <-ctx.Done():
			return fmt.Errorf("the line does not come to rest: %w", ctx.Err())
		}
		now := w.sent()
		if now == before {
			return nil
		}
		before = now
	}
}

// loaded is how many video segments of each height came whole, and how many were
// given up for the same of another height.
func (p play) loaded() string {
	whole, last, given := map[int]int{}, map[int]string{}, 0
	for _, r := range p.Requests {
		res := resourceAt(r.Path)
		if res.kind != segmentKind || height(res.folder) == 0 {
			continue
		}
		if folder := last[res.number]; folder != "" && folder != res.folder {
			given++
		}
		if last[res.number] = res.folder; r.End == "" && r.Status == http.StatusOK {
			whole[height(res.folder)]++
			delete(last, res.number)
		}
	}
	text := fmt.Sprintf("%d+%d+%d", whole[360], whole[720], whole[1080])
	if given > 0 {
		text += fmt.Sprintf(", %d given up", given)
	}
	return text
}

// writePlaying writes playing.md into a folder, and to w.
func writePlaying(dir string, plays []play, w io.Writer) error {
	slices.SortStableFunc(plays, func(a, b play) int {
		return cmp.Or(order(a.cell)-order(b.cell), b.Mbps-a.Mbps, a.Later-b.Later, cmp.Compare(b.Side, a.Side), a.Round-b.Round)
	})
	var text bytes.Buffer
	fmt.Fprint(&text, "# Playing on\n\nRound-trip time in ms / Mbit/s. Stalls of the picture, their time and share of all; how often the player says that it waits, and how long; heights of the pictures with the seconds since the first one; video segments of 360p+720p+1080p that came whole; the most that was ahead.\n\n",
		"| cell | side | stalls | waits | heights | segments | ahead |\n|---|---|---|---|---|---|---|\n")
	for _, p := range plays {
		if !p.told() || p.Onwards == nil {
			fmt.Fprintf(&text, "| %s | %s | failed: %s | | | %s | |\n", p.cell, p.Side, strings.ReplaceAll(p.Error, "\n", "; "), p.loaded())
			continue
		}
		o := p.Onwards
		var heights []string
		for _, h := range o.Heights {
			heights = append(heights, fmt.Sprintf("%.0f: %d", h.At/1000, h.Height))
		}
		waits := ""
		if p.Side == realSide {
			waits = fmt.Sprintf("%d, %.1f s", o.Waits, o.Waited/1000)
		}
		fmt.Fprintf(&text, "| %s | %s | %d, %.1f s, %.0f %% | %s | %s | %s | %.0f s |\n",
			p.cell, p.Side, o.Stalls, o.Stalled/1000, 100*o.ratio(), waits, strings.Join(heights, ", "), p.loaded(), o.Ahead/1000)
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "playing.md"), text.Bytes(), 0o644)
}
