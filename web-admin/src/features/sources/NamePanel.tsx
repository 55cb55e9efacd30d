import { Link } from '@tanstack/react-router';
import { Grid, Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import type { NameList, ServiceName } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Nothing } from '../../ui/States';
import { Clock, Since } from '../../ui/Time';

const phaseTones: Record<ServiceName['phase'], Tone> = { announcing: 'note', announced: 'good', withdrawing: 'note' };

/** The names of services in DNS: what they lead to, and what could not be announced. */
export function NamePanel({ names }: { names: NameList }) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  const columns = useColumns(wide);
  if (names.rule === '') return <Nothing title={t('sources.noRule')} />;
  return (
    <>
      <div className="list-note">
        {t('sources.rule')} <code className="break">{names.rule}</code>
      </div>
      {names.leading ? (
        <Table<ServiceName>
          size="small"
          rowKey="host"
          dataSource={[...names.items].sort(failedFirst)}
          columns={columns}
          pagination={{ defaultPageSize: 50, hideOnSinglePage: true, showSizeChanger: false, size: 'small' }}
          locale={{ emptyText: <Nothing title={t('sources.noNames')} /> }}
          showSorterTooltip={false}
        />
      ) : (
        <Nothing title={t('sources.elsewhere')} />
      )}
    </>
  );
}

const failedFirst = (a: ServiceName, b: ServiceName) => Number(!a.error) - Number(!b.error) || (a.host < b.host ? -1 : 1);

function useColumns(wide: boolean): ColumnsType<ServiceName> {
  const { t } = useTranslation();
  const host = { title: t('sources.host'), key: 'host', render: (_: unknown, n: ServiceName) => <strong className="mono break">{n.host}</strong> };
  if (!wide) {
    const all = (_: unknown, n: ServiceName) => (
      <span className="stack">
        <strong className="mono break">{n.host}</strong>
        <Phase name={n} />
        <Service name={n} />
        <span className="mono break">{n.to.join(', ')}</span>
      </span>
    );
    return [{ ...host, render: all }];
  }
  return [
    host,
    { title: t('sources.service'), key: 'service', render: (_, n) => <Service name={n} /> },
    { title: t('sources.to'), key: 'to', render: (_, n) => <span className="mono break">{n.to.join(', ')}</span> },
    { title: t('sources.state'), key: 'phase', width: '32%', render: (_, n) => <Phase name={n} /> },
    { title: t('sources.since'), key: 'since', render: (_, n) => <Since at={n.goneSince ?? n.since} /> },
  ];
}

function Service({ name: n }: { name: ServiceName }) {
  return (
    <span className="break">
      <Link to="/upstreams/$tenant/$name" params={{ tenant: n.tenant, name: n.upstream }}>
        {n.tenant}/{n.upstream}
      </Link>{' '}
      <span className="muted">
        {n.cluster} {n.namespace}/{n.service}
      </span>
    </span>
  );
}

function Phase({ name: n }: { name: ServiceName }) {
  const { t } = useTranslation();
  return (
    <span className="stack">
      <span className="row">
        <Badge tone={n.error ? 'bad' : phaseTones[n.phase]}>
          {t(`sources.phase.${n.phase}`)}
          {n.error && `: ${t('sources.failing')}`}
        </Badge>
        {n.goneSince && <Badge tone="warn">{t('sources.leaving')}</Badge>}
      </span>
      {n.error && (
        <span className="break text-bad">
          {n.error}{' '}
          <span className="muted">
            {n.nextAttempt ? (
              <>
                {t('sources.again')} <Clock at={n.nextAttempt} />
              </>
            ) : (
              t('sources.notAgain')
            )}
          </span>
        </span>
      )}
    </span>
  );
}
