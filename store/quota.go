package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// repairTimeout bounds one repair; rewriting a database of 2 GiB takes a while.
	repairTimeout = 60 * time.Second
	// repairPause keeps a store whose data really fills the quota from defragmenting at
	// every write.
	repairPause = 30 * time.Second
	// settlePauseMin doubles up to settlePauseMax between tries after a repair.
	settlePauseMin = 200 * time.Millisecond
	settlePauseMax = 1600 * time.Millisecond
)

// repair serialises repairs of a full quota and counts them.
type repair struct {
	count atomic.Int64 // repairs begun

	mu     sync.Mutex // held while repairing
	last   time.Time  // end of the last repair
	failed bool       // it did not help
}

// withRoom does a write, and when etcd's quota is full, makes room and does it once more.
func (s *Store) withRoom(ctx context.Context, write func() (*clientv3.TxnResponse, error)) (*clientv3.TxnResponse, error) {
	began := time.Now()
	r, err := write()
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		return r, err
	}
	if err := s.makeRoom(ctx, began); err != nil {
		return nil, fmt.Errorf("%w and the repair failed: %w", ErrNoSpace, err)
	}
	for pause := settlePauseMin; ; pause *= 2 {
		r, err = write()
		if !errors.Is(err, rpctypes.ErrNoSpace) {
			return r, err
		}
		if pause > settlePauseMax || !s.settle(ctx, pause) {
			break
		}
	}
	s.repair.mu.Lock()
	s.repair.failed = true
	s.repair.mu.Unlock()
	return nil, fmt.Errorf("%w although it was compacted and defragmented: raise the quota (store.quotaBackendBytes, or --quota-backend-bytes of the cluster)", ErrNoSpace)
}

// settle gives the members of a cluster, which compact and raise alarms at their own pace,
// some time to come to terms with a repair. It tells whether another try makes sense.
func (s *Store) settle(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
	}
	s.repair.mu.Lock()
	defer s.repair.mu.Unlock()
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), repairTimeout)
	defer cancel()
	again, err := s.engine.tidy(c)
	if again && err == nil {
		err = s.liftAlarm(c)
	}
	if err != nil {
		s.log.Warn("store: quota repair could not go on", "error", err)
	}
	return again && err == nil
}

// makeRoom repairs, unless another write has done so since this one began. When the last
// repair has just shown that it does not help, only the alarm is lifted: etcd raises it for
// one big write, and small ones, such as a delete, may still fit.
func (s *Store) makeRoom(ctx context.Context, began time.Time) error {
	s.repair.mu.Lock()
	defer s.repair.mu.Unlock()
	if s.repair.last.After(began) {
		return nil
	}
	if s.repair.failed && time.Since(s.repair.last) < repairPause {
		return s.liftAlarm(ctx)
	}
	s.repair.count.Add(1)
	s.log.Warn("store: etcd's quota is full; compacting and defragmenting")
	// Not bound to the caller's patience: half a repair helps nobody. Close still ends it.
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), repairTimeout)
	defer cancel()
	began = time.Now()
	err := s.compactAndDefrag(c)
	s.repair.last, s.repair.failed = time.Now(), err != nil
	if err != nil {
		s.log.Error("store: repair of the full quota failed", "error", err)
		return err
	}
	st := s.Status(c)
	s.log.Info("store: quota repaired", "took", time.Since(began), "dbSize", st.DBSize, "inUse", st.InUse, "quota", st.Quota)
	return nil
}

// compactAndDefrag drops all old revisions, gives their space back and lifts the alarm,
// in the only order that works.
func (s *Store) compactAndDefrag(ctx context.Context) error {
	r, err := s.client.Get(ctx, root, clientv3.WithLimit(1), clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("read revision: %w", err)
	}
	// Physical: an ordinary compaction frees its pages some time later, and the defragmenting
	// that comes right after it would find nothing to free.
	_, err = s.client.Compact(ctx, r.Header.Revision, clientv3.WithCompactPhysical())
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("compact at revision %d: %w", r.Header.Revision, err)
	}
	if err := s.engine.defrag(ctx); err != nil {
		return err
	}
	return s.liftAlarm(ctx)
}

// liftAlarm disarms the alarm of a full quota, which makes etcd refuse every write.
func (s *Store) liftAlarm(ctx context.Context) error {
	alarms, err := s.client.AlarmList(ctx)
	if err != nil {
		return fmt.Errorf("list alarms: %w", err)
	}
	for _, a := range alarms.Alarms {
		if a.Alarm != pb.AlarmType_NOSPACE {
			continue // a corrupt member is for people
		}
		if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			return fmt.Errorf("disarm alarm: %w", err)
		}
	}
	return nil
}
