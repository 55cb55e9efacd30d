import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Alert, App, Button, Modal } from 'antd';
import type { TFunction } from 'i18next';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { statusQuery, upstreamsQuery } from '../api/reads';
import type { UpstreamKey } from '../api/types';
import { keyText } from '../api/types';
import { clock } from '../i18n/time';
import { Failure } from '../ui/Failure';
import { Until } from '../ui/Time';
import { useNow } from '../ui/useNow';
import type { Loss, Settlement } from './shrinks';
import { losses, useSettle, useShrinks } from './shrinks';
import './shrinks.css';

const hour = 3_600_000;

/**
 * An alarm for each upstream of which a source has lost most endpoints at once, with what to do
 * about it. Nothing while all is well.
 */
export function ShrinkAlarms({ only }: { only?: UpstreamKey }) {
  const shrinks = useShrinks();
  return losses(shrinks.data ?? [], only).map((l) => <ShrinkAlarm key={keyText(l.upstream)} loss={l} link={only === undefined} />);
}

function ShrinkAlarm({ loss: l, link }: { loss: Loss; link: boolean }) {
  const { t } = useTranslation();
  const now = useNow();
  const [asking, setAsking] = useState<Settlement>();
  const title = t('shrink.title', { upstream: keyText(l.upstream), lost: l.lost, of: l.of, count: l.kept.length });
  return (
    <>
      <Alert
        className="stale shrink"
        type="error"
        showIcon
        role="alert"
        title={
          link ? (
            <Link to="/upstreams/$tenant/$name" params={l.upstream}>
              {title}
            </Link>
          ) : (
            title
          )
        }
        description={
          <>
            {l.shrinks.map((s) => (
              <div key={`${s.source} ${s.place ?? ''}`} className="break">
                {t('shrink.lost', { place: `${t(`source.${s.source}`)} ${s.place ?? ''}`.trim(), lost: s.lost, of: s.of, time: clock(new Date(s.since), new Date(now)) })}
              </div>
            ))}
            <div className="break">{t('shrink.kept', { list: some(l.kept, t) })}</div>
            <strong>
              {t('shrink.letGo')} <Until at={l.until} />
            </strong>
          </>
        }
        action={
          <span className="shrink-actions">
            <Button danger onClick={() => setAsking('accept')}>
              {t('shrink.accept')}
            </Button>
            <Button type="primary" onClick={() => setAsking('hold')}>
              {t('shrink.hold')}
            </Button>
          </span>
        }
      />
      {asking && <Confirm loss={l} action={asking} onClose={() => setAsking(undefined)} />}
    </>
  );
}

const shown = 5;

function some(addresses: string[], t: TFunction): string {
  const list = addresses.slice(0, shown).join(', ');
  return addresses.length > shown ? t('shrink.more', { list, count: addresses.length - shown }) : list;
}

interface ConfirmProps {
  loss: Loss;
  action: Settlement;
  onClose: () => void;
}

/** Says what happens to how many endpoints before it is done. */
function Confirm({ loss: l, action, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const node = useQuery(statusQuery()).data?.node;
  const now = useNow();
  const settle = useSettle(l.upstream);
  const upstream = keyText(l.upstream);
  const accepting = action === 'accept';
  const done = ({ endpoints: count }: { endpoints: number }) => {
    void message.success(t(accepting ? 'shrink.accepted' : 'shrink.held', { upstream, count }));
    onClose();
  };
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={() => settle.mutate(action, { onSuccess: done })}
      title={t(accepting ? 'shrink.acceptTitle' : 'shrink.holdTitle', { upstream, count: l.kept.length })}
      okText={t(accepting ? 'shrink.accept' : 'shrink.hold')}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: accepting, loading: settle.isPending }}
    >
      <p className="mono break">{some(l.kept, t)}</p>
      {accepting ? (
        <>
          <p>{t('shrink.acceptText')}</p>
          <Remaining loss={l} />
        </>
      ) : (
        <p>{t('shrink.holdText', { time: clock(new Date(now + hour), new Date(now)) })}</p>
      )}
      {node && <p className="muted">{t('shrink.thisNode', { node })}</p>}
      <Failure error={settle.error} />
    </Modal>
  );
}

/** How many endpoints are in rotation without those that are kept. */
function Remaining({ loss: l }: { loss: Loss }) {
  const { t } = useTranslation();
  const view = useQuery(upstreamsQuery()).data?.find((v) => keyText(v.upstream.key) === keyText(l.upstream));
  if (!view) return null;
  const count = view.upstream.endpoints.filter((e) => e.inRotation && !l.kept.includes(e.address)).length;
  return <p>{count === 0 ? <strong className="text-bad">{t('shrink.acceptNone')}</strong> : t('shrink.acceptLeft', { count })}</p>;
}
