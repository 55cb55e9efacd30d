import { Link } from '@tanstack/react-router';
import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import type { CertificateView } from '../../api/types';
import { span } from '../../i18n/time';
import { Derived } from '../../parts/Derived';
import { Badge } from '../../ui/Badge';
import { Said } from '../../ui/Said';
import { Nothing } from '../../ui/States';
import { Clock, parseTime } from '../../ui/Time';
import { useNow } from '../../ui/useNow';

const key = (v: CertificateView) => `${v.tenant}/${v.name}`;
const end = (v: CertificateView) => parseTime(v.status.notAfter)?.getTime() ?? 0;

/** One row per certificate. */
export function CertificateTable({ views }: { views: CertificateView[] }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  return (
    <div className="panel panel-flush">
      <Table<CertificateView>
        size="small"
        rowKey={key}
        dataSource={views}
        columns={useColumns(wide)}
        pagination={{ defaultPageSize: 50, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
        locale={{ emptyText: <Nothing title={t('common.noMatch')} /> }}
        showSorterTooltip={false}
      />
    </div>
  );
}

function useColumns(wide: boolean): ColumnsType<CertificateView> {
  const { t } = useTranslation();
  const name = {
    title: t('certificates.certificate'),
    key: 'name',
    sorter: (a: CertificateView, b: CertificateView) => (key(a) < key(b) ? -1 : 1),
    render: (_: unknown, v: CertificateView) => <Name view={v} />,
  };
  const expires = {
    title: t('certificates.expires'),
    key: 'expires',
    sorter: (a: CertificateView, b: CertificateView) => end(a) - end(b),
    render: (_: unknown, v: CertificateView) => <Expiry view={v} />,
  };
  if (!wide) {
    const all = (_: unknown, v: CertificateView) => (
      <span className="stack">
        <Name view={v} />
        <Uses view={v} />
        <Problems view={v} />
      </span>
    );
    return [{ ...name, render: all }, { ...expires, align: 'right' }];
  }
  return [
    name,
    { title: t('certificates.names'), key: 'names', width: '18%', render: (_, v) => <List items={v.status.names ?? []} /> },
    { title: t('certificates.issuer'), key: 'issuer', width: '16%', render: (_, v) => <span className="break">{v.status.issuer ?? '-'}</span> },
    expires,
    { title: t('certificates.usedBy'), key: 'uses', width: '20%', render: (_, v) => <Uses view={v} /> },
    { title: t('certificates.problem'), key: 'problems', width: '22%', sorter: (a, b) => a.problems.length - b.problems.length, render: (_, v) => <Problems view={v} /> },
  ];
}

function Name({ view: v }: { view: CertificateView }) {
  const { t } = useTranslation();
  return (
    <span className="row">
      <span className="break">
        <span className="muted">{v.tenant}/</span>
        <strong>{v.name}</strong>
      </span>
      <Derived from={v.derivedFrom} />
      {!v.usable && <Badge tone="bad">{t('certificates.unusable')}</Badge>}
    </span>
  );
}

function Expiry({ view: v }: { view: CertificateView }) {
  const { t } = useTranslation();
  const now = useNow();
  if (end(v) === 0) return <span className="faint">-</span>;
  const left = end(v) - now;
  const worried = v.problems.some((p) => p.code === 'certificate_expiring');
  return (
    <span className="stack">
      <Clock at={v.status.notAfter} />
      {left < 0 ? (
        <Badge tone="bad">{t('certificates.expired', { span: span(-left, t) })}</Badge>
      ) : worried ? (
        <Badge tone="warn">{t('certificates.left', { span: span(left, t) })}</Badge>
      ) : (
        <span className="muted">{t('certificates.left', { span: span(left, t) })}</span>
      )}
    </span>
  );
}

function Uses({ view: v }: { view: CertificateView }) {
  const { t } = useTranslation();
  if (v.hosts.length + v.upstreams.length === 0) return <span className="muted">{t('certificates.unused')}</span>;
  return (
    <span className="stack">
      {v.hosts.length > 0 && <List items={v.hosts} />}
      {v.upstreams.map((name) => (
        <Link key={name} to="/upstreams/$tenant/$name" params={{ tenant: v.tenant, name }}>
          {t('certificates.upstream', { name })}
        </Link>
      ))}
      {v.clientAuth && <span className="muted">{t('certificates.asks', { mode: v.clientAuth })}</span>}
    </span>
  );
}

const firstShown = 4;

function List({ items }: { items: string[] }) {
  const { t } = useTranslation();
  if (items.length === 0) return <span className="faint">-</span>;
  return (
    <span className="stack" title={items.join('\n')}>
      {items.slice(0, firstShown).map((n) => (
        <span key={n} className="break">
          {n}
        </span>
      ))}
      {items.length > firstShown && <span className="muted">{t('certificates.more', { count: items.length - firstShown })}</span>}
    </span>
  );
}

function Problems({ view: v }: { view: CertificateView }) {
  if (v.problems.length === 0) return v.status.error ? <span className="break">{v.status.error}</span> : <span className="faint">-</span>;
  return (
    <span className="stack">
      {v.problems.map((p) => (
        <span key={`${p.code} ${p.field ?? ''}`} className="break">
          <Badge tone="warn" plain>
            <code>{p.code}</code>
          </Badge>{' '}
          <Said of="problem" code={p.code} text={p.message} />
        </span>
      ))}
    </span>
  );
}
