import type { QueryClient } from '@tanstack/react-query';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { api, unwrap } from './client';
import { nodesQuery, problemsQuery, rolloutsQuery, upstreamsQuery } from './reads';
import type { ServerEvent } from './sse';
import type { LiveState } from './stream';
import { followEvents } from './stream';
import { useToken } from './token';
import type { Node, Problem, ProblemsEvent, Rollout, SnapshotEvent, UpstreamKey, UpstreamView, Verdict } from './types';

let state: LiveState = { phase: 'connecting' };
const listeners = new Set<() => void>();

function setState(s: LiveState) {
  state = s;
  listeners.forEach((f) => f());
}

const subscribe = (f: () => void) => {
  listeners.add(f);
  return () => {
    listeners.delete(f);
  };
};

/** How the stream of events is doing. */
export const useLiveState = () => useSyncExternalStore(subscribe, () => state);

/** Keeps the query cache current while mounted and a token is there. */
export function useLiveEvents() {
  const cache = useQueryClient();
  const token = useToken();
  useEffect(() => {
    if (token === null) return;
    const stop = new AbortController();
    const refresh = new Refresher(cache);
    const onState = (s: LiveState) => {
      setState(s);
      // What was read before the stream opened may have changed before it opened: node and
      // verdict events carry no id, so the server can not tell what was missed.
      if (s.phase === 'live') refresh.everything();
    };
    void followEvents({ onEvent: (e) => take(cache, refresh, e), onState, signal: stop.signal });
    return () => {
      stop.abort();
      refresh.stop();
      setState({ phase: 'connecting' });
    };
  }, [cache, token]);
}

/** Applies one event. Exported for its test. */
export function take(cache: QueryClient, refresh: Pick<Refresher, 'everything' | 'snapshot'>, e: ServerEvent) {
  switch (e.event) {
    case 'snapshot': {
      const s = JSON.parse(e.data) as SnapshotEvent;
      if (s.resync) refresh.everything();
      else refresh.snapshot(s.upstreams);
      break;
    }
    case 'verdict':
      patchVerdict(cache, JSON.parse(e.data) as Verdict);
      break;
    case 'problems':
      takeProblems(cache, (JSON.parse(e.data) as ProblemsEvent).problems);
      break;
    case 'node':
      patchNode(cache, JSON.parse(e.data) as Node);
      break;
    case 'rollout':
      patchRollout(cache, JSON.parse(e.data) as Rollout);
      break;
  }
}

// Problems of sources and of what is kept come without a new snapshot, so what shows its own has
// to hear of them here.
function takeProblems(cache: QueryClient, problems: Problem[]) {
  cache.setQueryData(problemsQuery().queryKey, problems);
  cache.setQueryData(upstreamsQuery().queryKey, (views) =>
    views?.map((view) => {
      const own = problems.filter(({ object: o }) => o.kind === 'Upstream' && o.tenant === view.upstream.key.tenant && o.name === view.upstream.key.name);
      return own.length + view.problems.length === 0 ? view : { ...view, problems: own };
    }),
  );
  void cache.invalidateQueries({ queryKey: ['certificates'] });
  void cache.invalidateQueries({ queryKey: ['shrinks'] });
  void cache.invalidateQueries({ queryKey: ['names'] });
}

function patchVerdict(cache: QueryClient, v: Verdict) {
  cache.setQueryData(upstreamsQuery().queryKey, (views) =>
    views?.map((view) => {
      if (!same(view.upstream.key, v.upstream)) return view;
      const endpoints = view.upstream.endpoints.map((ep) => (ep.address === v.address ? { ...ep, verdict: v } : ep));
      return { ...view, upstream: { ...view.upstream, endpoints } };
    }),
  );
}

// What a node's files are, as far as the groups of its fleet tell. Reports come every few seconds
// from every node, and comparing all of them is work for the server.
const filesOf = (n: Node) => JSON.stringify([n.fingerprint, n.desiredFingerprint, n.mismatch, n.drift, n.allowed, n.settled]);

function patchNode(cache: QueryClient, n: Node) {
  const old = cache.getQueryData(nodesQuery(n.fleet).queryKey)?.find((o) => o.node === n.node);
  if (!old || filesOf(old) !== filesOf(n)) void cache.invalidateQueries({ queryKey: ['groups', n.fleet] });
  if (old?.desired !== n.desired || old.revision !== n.revision) void cache.invalidateQueries({ queryKey: ['bundles', n.fleet] });
  cache.setQueryData(nodesQuery(n.fleet).queryKey, (nodes) => {
    if (!nodes) return undefined;
    return [...nodes.filter((o) => o.node !== n.node), n].sort((a, b) => (a.node < b.node ? -1 : 1));
  });
  void cache.invalidateQueries({ queryKey: ['diff', n.fleet] });
  void cache.invalidateQueries({ queryKey: ['status'] });
}

// A revision that is tried again has a rollout of its own, that began later.
function patchRollout(cache: QueryClient, r: Rollout) {
  cache.setQueryData(rolloutsQuery(r.fleet).queryKey, (list) => {
    if (!list) return undefined;
    const others = list.filter((o) => o.revision !== r.revision || o.startedAt !== r.startedAt);
    return [r, ...others].sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
  });
  void cache.invalidateQueries({ queryKey: ['groups', r.fleet] });
  void cache.invalidateQueries({ queryKey: ['bundles', r.fleet] });
}

const same = (a: UpstreamKey, b: UpstreamKey) => a.tenant === b.tenant && a.name === b.name;

/**
 * Reads again what events made old, at most every `pace` milliseconds: pods come and go in
 * bursts. A few changed upstreams are read one by one, since the whole list may be large.
 */
export class Refresher {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private next = 0;
  private all = false;
  private changed = new Map<string, UpstreamKey>();

  constructor(
    private readonly cache: QueryClient,
    private readonly pace = 400,
    private readonly few = 8,
  ) {}

  everything() {
    this.all = true;
    this.schedule();
  }

  snapshot(upstreams: UpstreamKey[]) {
    for (const k of upstreams) this.changed.set(`${k.tenant}/${k.name}`, k);
    this.schedule();
  }

  stop() {
    clearTimeout(this.timer);
  }

  private schedule() {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.next = Date.now() + this.pace;
      this.run();
    }, Math.max(0, this.next - Date.now()));
  }

  private run() {
    const changed = [...this.changed.values()];
    const all = this.all || changed.length > this.few;
    this.changed.clear();
    if (this.all) {
      this.all = false;
      void this.readAll();
      return;
    }
    void this.cache.invalidateQueries({ queryKey: ['status'] });
    void this.cache.invalidateQueries({ queryKey: ['fleets'] });
    void this.cache.invalidateQueries({ queryKey: ['certificates'] });
    void this.cache.invalidateQueries({ queryKey: ['diff'] });
    void this.cache.invalidateQueries({ queryKey: ['routes'] });
    void this.cache.invalidateQueries({ queryKey: ['health'] });
    if (all) void this.cache.invalidateQueries({ queryKey: ['upstreams'] });
    else void this.readSome(changed);
  }

  private async readAll() {
    // An answer that is under way may be older than the stream, so it is not waited for.
    await this.cache.cancelQueries();
    await this.cache.invalidateQueries();
  }

  private async readSome(keys: UpstreamKey[]) {
    const listKey = upstreamsQuery().queryKey;
    if (keys.length === 0 || this.cache.getQueryState(listKey) === undefined) return;
    try {
      const views = await Promise.all(keys.map(readUpstream));
      // A read of the whole list that began earlier would put the old state back.
      await this.cache.cancelQueries({ queryKey: listKey });
      const had = this.cache.getQueryData(listKey) !== undefined;
      if (!had) await this.cache.invalidateQueries({ queryKey: listKey });
      else this.cache.setQueryData(listKey, (list) => list && merge(list, keys, views));
    } catch {
      await this.cache.invalidateQueries({ queryKey: listKey });
    }
  }
}

/** The upstream as it is served, or undefined when it is gone. */
async function readUpstream(k: UpstreamKey): Promise<UpstreamView | undefined> {
  const call = await api.GET('/tenants/{tenant}/upstreams/{upstream}/endpoints', { params: { path: { tenant: k.tenant, upstream: k.name } } });
  if (call.response.status === 404) return undefined;
  return unwrap(Promise.resolve(call));
}

function merge(list: UpstreamView[], keys: UpstreamKey[], views: (UpstreamView | undefined)[]): UpstreamView[] {
  const others = list.filter((v) => !keys.some((k) => same(k, v.upstream.key)));
  const found = views.filter((v) => v !== undefined);
  return [...others, ...found].sort((a, b) => compare(a.upstream.key, b.upstream.key));
}

function compare(a: UpstreamKey, b: UpstreamKey): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
