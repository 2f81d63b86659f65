// Package proc runs the programs of a lab, agents and collector, as processes
// of their own: starts them, waits for them, kills and restarts them, and keeps
// what they say in files. No process outlives the one that started it, even if
// that is killed (Linux: PR_SET_PDEATHSIG).
package proc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrExited is what waiting for a process that has ended fails with.
var ErrExited = errors.New("proc: process has ended")

// Spec is a program to run.
type Spec struct {
	Name string // of its files: NAME.out and NAME.log in Logs
	Path string
	Args []string
	Env  []string // besides this process's own
	Logs string   // folder of its standard output (NAME.out) and error (NAME.log), which are appended to
}

// Process is a program that runs, or has run. It may be used by many at once.
type Process struct {
	Spec Spec

	mu      sync.Mutex
	current *instance
}

// instance is one life of a process.
type instance struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed
}

// Start starts a program.
func Start(s Spec) (*Process, error) {
	p := &Process{Spec: s}
	return p, p.Restart()
}

// Restart starts the program again. It fails while it runs.
func (p *Process) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.current; c != nil {
		select {
		case <-c.done:
		default:
			return fmt.Errorf("proc: %s runs already, as %d", p.Spec.Name, c.pid)
		}
	}
	next, err := launch(p.Spec)
	if err != nil {
		return fmt.Errorf("proc: %s: %w", p.Spec.Name, err)
	}
	p.current = next
	return nil
}

// launch starts a process on a thread of its own, which stays until the process
// has ended: the kernel takes the end of that thread for the parent's death.
func launch(s Spec) (*instance, error) {
	out, err := logFile(s, ".out")
	if err != nil {
		return nil, err
	}
	log, err := logFile(s, ".log")
	if err != nil {
		out.Close()
		return nil, err
	}
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = out, log
	// A group of its own: Ctrl-C in a terminal reaches the lab alone, which ends
	// its processes in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	i := &instance{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() { // ends with the process; done tells
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(i.done)
		defer out.Close()
		defer log.Close()
		err := cmd.Start()
		if err == nil {
			i.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			i.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-i.done
		return nil, err
	}
	return i, nil
}

func logFile(s Spec, suffix string) (*os.File, error) {
	return os.OpenFile(filepath.Join(s.Logs, s.Name+suffix), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

func (p *Process) instance() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// PID is the process's id, also after its end.
func (p *Process) PID() int { return p.instance().pid }

// Done is closed when the process has ended, whatever ended it.
func (p *Process) Done() <-chan struct{} { return p.instance().done }

// Wait waits for the end and tells how it came, as exec.Cmd.Wait does.
func (p *Process) Wait(ctx context.Context) error {
	i := p.instance()
	select {
	case <-i.done:
		return i.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill ends the process with SIGKILL and returns when it is gone. That it had
// ended already is no error.
func (p *Process) Kill() error {
	i := p.instance()
	err := i.signal(syscall.SIGKILL)
	if err == nil {
		<-i.done
	}
	return err
}

// Stop asks the process to end, with SIGTERM, and kills it when ctx ends before
// it has. It returns when the process is gone, with nil or ctx's error.
func (p *Process) Stop(ctx context.Context) error {
	i := p.instance()
	if err := i.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-i.done:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	}
}

func (i *instance) signal(s syscall.Signal) error {
	select {
	case <-i.done: // its id may be another's by now
		return nil
	default:
	}
	if err := syscall.Kill(i.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("proc: %d: %w", i.pid, err)
	}
	return nil
}

// AwaitHTTP waits until url answers 200. It fails when ctx or the process ends
// first.
func (p *Process) AwaitHTTP(ctx context.Context, url string) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return fmt.Errorf("proc: %s: %w", p.Spec.Name, err)
		}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("proc: %s: %s: %w", p.Spec.Name, url, ctx.Err())
		case <-p.Done():
			return fmt.Errorf("%w: %s: %v; see %s", ErrExited, p.Spec.Name, p.instance().err, filepath.Join(p.Spec.Logs, p.Spec.Name+".log"))
		}
	}
}

// StopAll stops processes side by side, as Stop does.
func StopAll(ctx context.Context, all []*Process) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { errs[i] = p.Stop(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
