import { Table } from 'antd';
import type { ColumnsType } from 'antd/es/table';
import { useTranslation } from 'react-i18next';
import type { Sample } from '../../api/types';
import { Clock } from '../../ui/Time';

/** Observed outcomes, the newest first; they come newest last. */
export function Samples({ samples }: { samples: Sample[] }) {
  const { t } = useTranslation();
  if (samples.length === 0) return <p className="muted">{t('evidence.noSamples')}</p>;
  const columns: ColumnsType<Sample> = [
    { title: t('evidence.at'), key: 'at', render: (_, s) => <Clock at={s.at} /> },
    { title: t('evidence.kind'), key: 'kind', render: (_, s) => <span className="nowrap">{t(`evidence.${s.kind}`)}</span> },
    { title: t('evidence.result'), key: 'result', render: (_, s) => <SampleResult sample={s} /> },
    { title: t('evidence.latency'), key: 'latency', align: 'right', render: (_, s) => <span className="num nowrap">{s.latency ? round(s.latency) : '-'}</span> },
  ];
  const rows = samples.map((s, i) => ({ ...s, key: i })).reverse();
  return <Table<Sample> size="small" dataSource={rows} columns={columns} pagination={false} />;
}

function SampleResult({ sample: s }: { sample: Sample }) {
  const { t } = useTranslation();
  const bad = s.error !== undefined || (s.status ?? 0) >= 500;
  return (
    <>
      <span className={bad ? 'text-bad break' : 'break'}>
        {s.status ? <strong className="num">{s.status}</strong> : null} {s.error}
      </span>
      {s.request && (
        <div className="muted break" title={t('evidence.requestIdHint')}>
          {t('evidence.requestId')} <code>{s.request}</code>
        </div>
      )}
    </>
  );
}

// Go writes "1.234567ms"; three digits say as much.
const round = (latency: string) => latency.replace(/(\d+\.\d{1,2})\d*/g, '$1');
