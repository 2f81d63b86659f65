package edge

import (
	"container/list"
	"sync"
	"time"

	"github.com/firstframe/firstframe/deploy/lab/origin"
)

// cache keeps objects by path, the least lately used going first.
type cache struct {
	max int // bytes of bodies

	mu    sync.Mutex
	size  int
	order list.List // of *cached, the latest in front
	by    map[string]*list.Element
}

type cached struct {
	path   string
	object origin.Object
	since  time.Time
}

func newCache(max int) *cache { return &cache{max: max, by: map[string]*list.Element{}} }

// get is an object that is there and fresh, and its age.
func (c *cache) get(path string, now time.Time) (origin.Object, time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[path]
	if e == nil {
		return origin.Object{}, 0, false
	}
	held := e.Value.(*cached)
	age := now.Sub(held.since)
	if age >= held.object.MaxAge {
		c.drop(e)
		return origin.Object{}, 0, false
	}
	c.order.MoveToFront(e)
	return held.object, age, true
}

// put keeps an object that may be kept.
func (c *cache) put(path string, o origin.Object, now time.Time) {
	if o.MaxAge <= 0 || len(o.Body) > c.max {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.by[path]; e != nil {
		c.drop(e)
	}
	c.by[path] = c.order.PushFront(&cached{path, o, now})
	c.size += len(o.Body)
	for c.size > c.max {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	held := c.order.Remove(e).(*cached)
	delete(c.by, held.path)
	c.size -= len(held.object.Body)
}
