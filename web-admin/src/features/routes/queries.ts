import { useQuery } from '@tanstack/react-query';
import { problemsQuery, routesQuery } from '../../api/reads';
import type { Problem, Route } from '../../api/types';
import type { RoutesSearch } from './search';
import { pathText } from './words';

export interface RouteRow {
  route: Route;
  problems: Problem[];
}

export const rowKey = (r: RouteRow) => `${r.route.tenant}/${r.route.name}`;

/** Every route, written or derived, with what is wrong with it. */
export function useRoutes() {
  const routes = useQuery(routesQuery());
  const problems = useQuery(problemsQuery());
  const data = routes.data?.map((route): RouteRow => {
    const own = (p: Problem) => p.object.kind === 'Route' && p.object.tenant === route.tenant && p.object.name === route.name;
    return { route, problems: problems.data?.filter(own) ?? [] };
  });
  return { ...routes, data };
}

const pathTexts = (r: Route) => (r.spec.match ?? [{}]).map(pathText);

/** Fits when every word is found in the name, a host, a path, an upstream or what it is from. */
export function filterRoutes(rows: RouteRow[], s: RoutesSearch): RouteRow[] {
  const words = (s.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter(({ route: r }) => {
    if (s.tenant !== undefined && r.tenant !== s.tenant) return false;
    if (s.derived && !r.derivedFrom) return false;
    const from = r.derivedFrom ? `${r.derivedFrom.kind ?? ''} ${r.derivedFrom.namespace ?? ''}/${r.derivedFrom.name ?? ''} ${r.derivedFrom.source}` : '';
    const text = [`${r.tenant}/${r.name}`, ...(r.spec.hosts ?? []), ...pathTexts(r), ...(r.spec.to ?? []).map((x) => x.upstream), from].join(' ').toLowerCase();
    return words.every((w) => text.includes(w));
  });
}
