import { useTranslation } from 'react-i18next';
import type { ActiveCheck, EffectiveUpstream, UpstreamView } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Facts, Panel } from '../../ui/Page';

/** How the upstream is balanced, checked and bounded, defaults filled in. */
export function Settings({ view: { upstream: u, routes } }: { view: UpstreamView }) {
  const { t } = useTranslation();
  return (
    <Panel title={t('upstreams.settings')}>
      <Facts
        items={[
          { label: t('upstreams.usedBy'), value: routes.length > 0 ? routes.join(', ') : <span className="muted">{t('upstreams.unused')}</span> },
          { label: t('upstreams.protocol'), value: u.protocol },
          { label: t('upstreams.balance'), value: u.balance.policy },
          { label: t('upstreams.drain'), value: u.drain?.timeout },
          { label: t('upstreams.activeCheck'), value: <ActiveText upstream={u} /> },
          { label: t('upstreams.passiveCheck'), value: <PassiveText upstream={u} /> },
          { label: t('upstreams.timeouts'), value: t('upstreams.timeoutsText', { connect: u.timeouts.connect, response: u.timeouts.response, idle: u.timeouts.idle }) },
          { label: t('upstreams.limits'), value: <LimitsText upstream={u} /> },
          { label: t('upstreams.retry'), value: <RetryText upstream={u} /> },
          { label: t('upstreams.tls'), value: <TLSText upstream={u} /> },
          ...(u.proxyProtocol ? [{ label: t('upstreams.proxyProtocol'), value: u.proxyProtocol }] : []),
          { label: t('upstreams.discover'), value: <Places upstream={u} /> },
        ]}
      />
    </Panel>
  );
}

function ActiveText({ upstream: u }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  const c = u.health.active;
  if (!c) return <span className="muted">{t('upstreams.off')}</span>;
  const texts = [t('upstreams.activeText', { what: question(c), interval: c.interval, timeout: c.timeout, fall: c.fall, rise: c.rise })];
  if (c.host) texts.push(t('upstreams.activeHost', { host: c.host }));
  if (c.headers) texts.push(t('upstreams.activeHeaders', { names: Object.keys(c.headers).join(', ') }));
  if (c.expect) texts.push(t('upstreams.activeExpect', { statuses: c.expect.join(', ') }));
  if (c.expectNot) texts.push(t('upstreams.activeExpectNot', { statuses: c.expectNot.join(', ') }));
  if (c.body) texts.push(t('upstreams.activeBody', { pattern: c.body }));
  if (c.replication) texts.push(t('upstreams.activeReplication'));
  if (c.user) texts.push(t('upstreams.activeUser', { user: c.user }));
  if (c.initial === 'down') texts.push(t('upstreams.activeInitialDown'));
  return (
    <>
      {texts.map((text) => (
        <div key={text}>{text}</div>
      ))}
    </>
  );
}

/** What a probe asks, such as "http /healthz" or "grpc shop.Cart". */
function question(c: ActiveCheck): string {
  const of = { http: c.path ?? '/', grpc: c.service, tcp: undefined, redis: undefined, mysql: undefined }[c.type ?? 'http'];
  return [c.type ?? 'http', of].filter(Boolean).join(' ');
}

function PassiveText({ upstream: u }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  const c = u.health.passive;
  if (!c || c.disabled) return <span className="muted">{t('upstreams.off')}</span>;
  return <>{t('upstreams.passiveText', { errors: c.consecutiveGatewayErrors, base: c.baseEjection, percent: c.maxEjectedPercent })}</>;
}

function LimitsText({ upstream: { limits } }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  if (!limits?.maxConnections) return <span className="muted">{t('upstreams.noLimits')}</span>;
  return <>{t('upstreams.limitsText', { connections: limits.maxConnections, pending: limits.maxPending ?? 0, timeout: limits.queueTimeout })}</>;
}

function RetryText({ upstream: { retry } }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  if ((retry.attempts ?? 1) <= 1) return <span className="muted">{t('upstreams.retryOff')}</span>;
  return <>{t('upstreams.retryText', { attempts: retry.attempts, on: (retry.on ?? ['connect-failure']).join(', '), percent: retry.budgetPercent ?? 20 })}</>;
}

function TLSText({ upstream: { tls } }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  if (!tls) return <span className="muted">{t('upstreams.tlsOff')}</span>;
  const verified = t('upstreams.tlsVerified', { name: tls.serverName || t('upstreams.tlsAddress') });
  return (
    <>
      {tls.insecureSkipVerify ? <Badge tone="warn">{t('upstreams.tlsUnverified')}</Badge> : `${verified} ${t(tls.ca ? 'upstreams.tlsOwnCa' : 'upstreams.tlsSystemCa')}`}
      {tls.certificate && <div>{t('upstreams.tlsShows', { name: tls.certificate })}</div>}
    </>
  );
}

function Places({ upstream: u }: { upstream: EffectiveUpstream }) {
  const { t } = useTranslation();
  const places = (u.discover ?? []).map(({ kubernetes: k, etcd: e, dns: d }) => {
    if (k) return `Kubernetes ${k.cluster ?? 'default'}/${k.namespace}/${k.service}${k.port ? `:${k.port}` : ''}`;
    if (d) return `DNS ${d.resolver ?? 'default'} ${d.type ?? 'A, AAAA'} ${d.name}${d.port ? `:${d.port}` : ''}`;
    return e ? `etcd ${e.registry ?? 'default'}:${e.prefix}` : '';
  });
  if (places.length === 0) return <span className="muted">{t('common.none')}</span>;
  return (
    <>
      {places.map((p) => (
        <div key={p} className="mono">
          {p}
        </div>
      ))}
    </>
  );
}
