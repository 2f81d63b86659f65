package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firstframe/firstframe/probes/run"
)

// drawing is a run's waterfall on the page. What lies across is in per cent.
type drawing struct {
	ID, Verdict, Tone, Name, About string
	Role                           string // what it stands for among its group's
	Open                           bool
	Target, Error, Hint            string
	Axis                           []tick
	Rows                           []drawnStep
	LeftOut                        int // rows
	Keyframe, Frame                float64
	HasKeyframe, HasFrame          bool
	KeyframeText, FrameText        string
	Path                           []block // the critical path
	Phases                         []phaseText
	Split, Total                   string
	Plays                          []block // playing on
	Playing                        string
	After                          []drawnStep // while playing on
	AfterAxis                      []tick      // since playback started
	Asked                          string      // how many requests that took
}

type phaseText struct{ Class, Name, Text string }

// drawnStep is a row of a waterfall.
type drawnStep struct {
	Label, Time, Status, Bytes string
	Failed, Wait               bool
	Blocks                     []block
	URL, Remote, Detail        string
	Connects                   string // attempts to connect
	Headers                    []harPair
}

// drawingOf draws a run, whose steps are not yet tame.
func drawingOf(r *run.Run) drawing {
	steps, end := opening(r)
	end *= 1.02
	d := drawing{
		ID: r.RunID, Name: strings.Join(nonEmpty(r.CDN, appOf(r), r.Connection), " · "), About: strings.Join(about(r), " · "), Target: r.Target, Error: r.ErrorDetail, Hint: hints[r.ErrorType], Axis: ticks(end),
		Path: stack(r, max(r.Phases.Sum(), 1e-9)), Split: split(r), Total: Millis(r.Phases.Sum()),
	}
	d.Verdict, d.Tone = verdict(r)
	if r.FirstKeyframeMs != nil {
		d.Keyframe, d.HasKeyframe, d.KeyframeText = percent(*r.FirstKeyframeMs, end), true, Millis(*r.FirstKeyframeMs)
	}
	if r.TTFFMs != nil {
		d.Frame, d.HasFrame, d.FrameText = percent(*r.TTFFMs, end), true, Millis(*r.TTFFMs)
	}
	for _, c := range columns {
		if v := c.value(&r.Phases); v > 0.05 {
			d.Phases = append(d.Phases, phaseText{"p-" + c.name, c.name, Millis(v)})
		}
	}
	if d.Plays = playBlocks(r); d.Plays != nil {
		d.Playing = playing(r)
	}
	steps = tameSteps(steps[:min(len(steps), maxRows)])
	for i := range steps {
		d.Rows = append(d.Rows, drawnStepOf(&steps[i], end))
	}
	d.after(r, maxRows-len(steps))
	d.LeftOut = len(r.Steps) - len(d.Rows) - len(d.After)
	return d
}

// after draws what a run did while playing on, in most rows at the most.
func (d *drawing) after(r *run.Run, most int) {
	from, ok := onset(r)
	if !ok {
		return
	}
	steps := following(r)
	d.Asked = asked(steps)
	steps = tameSteps(steps[:min(len(steps), most)])
	end := max(r.DurationMs-from, 1)
	d.AfterAxis = ticks(end)
	for i := range steps {
		s := &steps[i]
		s.StartMs, s.EndMs = s.StartMs-from, s.EndMs-from
		d.After = append(d.After, drawnStepOf(s, end))
	}
}

func drawnStepOf(s *run.Step, end float64) drawnStep {
	row := drawnStep{
		Label: label(s), Time: Millis(s.EndMs - s.StartMs), Wait: s.IsWait(), Failed: s.Error != "",
		URL: s.URL, Remote: strings.TrimSpace(s.Remote + " " + harVersion(s.Proto)), Detail: s.Detail, Connects: strings.Join(attempts(s), " · "),
	}
	if !row.Wait {
		row.Status, row.Bytes = strings.TrimSpace(status(s)), Bytes(s.Bytes)
	}
	if row.Failed && s.Status < 400 {
		row.Status = string(s.Error)
	}
	for name, values := range s.Headers {
		row.Headers = append(row.Headers, harPair{name, strings.Join(values, ", ")})
	}
	slices.SortFunc(row.Headers, func(a, b harPair) int { return strings.Compare(a.Name, b.Name) })
	at := s.StartMs
	for _, part := range partsOf(s) {
		if part.ms > 0 && at < end {
			b := block{
				Class: part.kind.class(), Text: fmt.Sprintf("%s %s", stageNames[part.kind], Millis(part.ms)),
				X: percent(at, end), Width: percent(min(part.ms, end-at), end), // what is under way at the end is cut
			}
			if s.Name == run.WaitStall {
				b.Class, b.Text = "p-stall", "stall "+Millis(part.ms)
			}
			row.Blocks = append(row.Blocks, b)
		}
		at += part.ms
	}
	return row
}
