import { App, Button, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { EnrolmentToken } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Failure } from '../../ui/Failure';
import { Panel } from '../../ui/Page';
import { Nothing, QueryView } from '../../ui/States';
import { Clock, Until } from '../../ui/Time';
import { useNow } from '../../ui/useNow';
import { TokenDialog } from './TokenDialog';
import type { TokenState } from './tokens';
import { tokenState, useRemoveToken, useTokens } from './tokens';

const tones: Record<TokenState, Tone> = { unused: 'note', used: 'good', expired: 'off' };

/** The one-time tokens by which nodes of a fleet enrol. */
export function TokenPanel({ fleet }: { fleet: string }) {
  const { t } = useTranslation();
  const query = useTokens(fleet);
  const [making, setMaking] = useState(false);
  const [removing, setRemoving] = useState<EnrolmentToken>();
  return (
    <Panel
      flush
      title={t('enrol.title')}
      extra={
        <Button size="small" type="primary" onClick={() => setMaking(true)}>
          {t('enrol.make')}
        </Button>
      }
    >
      <QueryView query={query}>
        {(list) => {
          if (list.length === 0) return <Nothing title={t('enrol.none')} hint={t('enrol.noneHint')} />;
          return (
            <ul className="list" aria-label={t('enrol.title')}>
              {list.map((token) => (
                <li key={token.id}>
                  <Token token={token} onRemove={() => setRemoving(token)} />
                </li>
              ))}
            </ul>
          );
        }}
      </QueryView>
      {making && <TokenDialog fleet={fleet} onClose={() => setMaking(false)} />}
      {removing && <RemoveToken token={removing} onClose={() => setRemoving(undefined)} />}
    </Panel>
  );
}

function Token({ token: k, onRemove }: { token: EnrolmentToken; onRemove: () => void }) {
  const { t } = useTranslation();
  const state = tokenState(k, useNow());
  return (
    <div className="list-head token-head">
      <Badge tone={tones[state]}>{t(`enrol.state.${state}`)}</Badge>
      <strong className="mono">{k.id}</strong>
      <span>{k.node ? t('enrol.onlyNode', { node: k.node }) : t('enrol.anyNode')}</span>
      {state === 'used' && (
        <span>
          {t('enrol.usedBy', { node: k.usedBy ?? '-' })} <Clock at={k.usedAt} />
        </span>
      )}
      {state === 'unused' && <Until at={k.expiresAt} />}
      <span className="muted">
        {t('enrol.madeBy', { who: k.createdBy })} <Clock at={k.createdAt} />
      </span>
      <span className="list-side">
        <Button size="small" onClick={onRemove} aria-label={`${t('enrol.remove')} ${k.id}`}>
          {t('enrol.remove')}
        </Button>
      </span>
    </div>
  );
}

function RemoveToken({ token: k, onClose }: { token: EnrolmentToken; onClose: () => void }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const remove = useRemoveToken();
  const done = () => {
    void message.success(t('enrol.removed', { id: k.id }));
    onClose();
  };
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={() => remove.mutate(k.id, { onSuccess: done })}
      title={t('enrol.removeAsk', { id: k.id })}
      okText={t('enrol.remove')}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: true, loading: remove.isPending }}
    >
      <p>{t('enrol.removeHint')}</p>
      <Failure error={remove.error} />
    </Modal>
  );
}
