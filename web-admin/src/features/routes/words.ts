import type { TFunction } from 'i18next';
import type { Route } from '../../api/types';

type Match = NonNullable<Route['spec']['match']>[number];
type Filter = NonNullable<Route['spec']['filters']>[number];
type HeaderEdit = NonNullable<Filter['requestHeaders']>;
type Rewrite = NonNullable<Filter['rewrite']>;
type Redirect = NonNullable<Filter['redirect']>;
type LimitKey = NonNullable<Filter['rateLimit']>['key'];

export const pathText = (m: Match) => m.path?.exact ?? `${m.path?.prefix ?? '/'}*`;

/** What a request needs besides the path, one line each. */
export function conditionTexts(m: Match, t: TFunction): string[] {
  const methods = m.methods ?? [];
  return [
    ...(methods.length > 0 ? [t('routes.methods', { list: methods.join(', ') })] : []),
    ...(m.headers ?? []).map((h) => (h.present ? t('routes.headerPresent', { name: h.name }) : t('routes.header', { name: h.name, value: h.exact ?? '' }))),
    ...(m.query ?? []).map((q) => t('routes.query', { name: q.name, value: q.exact })),
  ];
}

/** What the route does to requests and answers, one line for each filter. */
export const filterTexts = (r: Route, t: TFunction): string[] => (r.spec.filters ?? []).flatMap((f) => filterText(f, t));

function filterText(f: Filter, t: TFunction): string[] {
  const lines: string[] = [];
  if (f.respond) lines.push(t('routes.responds', { status: f.respond.status }));
  if (f.ipAccess) lines.push(t('routes.ipAccess', { what: parts([t('routes.allow'), f.ipAccess.allow], [t('routes.deny'), f.ipAccess.deny]) }));
  if (f.requestHeaders) lines.push(t('routes.requestHeaders', { what: headerEdit(f.requestHeaders, t) }));
  if (f.responseHeaders) lines.push(t('routes.responseHeaders', { what: headerEdit(f.responseHeaders, t) }));
  if (f.rewrite) lines.push(t('routes.rewrite', { what: rewritten(f.rewrite, t) }));
  if (f.redirect) lines.push(t('routes.redirect', { status: f.redirect.status, what: rewritten(f.redirect, t) }));
  if (f.rateLimit) {
    const { requests, per = '1s', burst = requests - 1, key, status = 429 } = f.rateLimit;
    lines.push(t('routes.rateLimit', { requests, per, burst, key: limitKey(key, t), status }));
  }
  if (f.connectionLimit) lines.push(t('routes.connectionLimit', { max: f.connectionLimit.max, key: limitKey(f.connectionLimit.key, t), status: f.connectionLimit.status ?? 429 }));
  if (f.mirror) lines.push(t('routes.mirror', { percent: f.mirror.percent ?? 100, upstream: f.mirror.upstream }));
  return lines;
}

/** "allow 10.0.0.0/8; deny 10.1.0.0/16" */
const parts = (...all: [string, string[] | undefined][]) =>
  all
    .filter(([, list]) => list && list.length > 0)
    .map(([word, list]) => `${word} ${(list ?? []).join(', ')}`)
    .join('; ');

function headerEdit(e: HeaderEdit, t: TFunction): string {
  const fields = (of: Record<string, string> | undefined) => Object.entries(of ?? {}).map(([name, value]) => `${name}: ${value}`);
  return parts([t('routes.set'), fields(e.set)], [t('routes.add'), fields(e.add)], [t('routes.remove'), e.remove]);
}

/** What stands in the place of the parts of an address; a redirect has a scheme and a port, too. */
function rewritten(r: Rewrite & Pick<Redirect, 'scheme' | 'port'>, t: TFunction): string {
  const all = (['scheme', 'host', 'port', 'path', 'prefix'] as const).flatMap((part) => (r[part] === undefined ? [] : [`${t(`routes.part.${part}`)} ${r[part]}`]));
  return all.join(', ');
}

function limitKey(key: LimitKey, t: TFunction): string {
  if (typeof key === 'object') return t('routes.key.header', { name: key.header });
  return t(`routes.key.${key ?? 'client'}`);
}
