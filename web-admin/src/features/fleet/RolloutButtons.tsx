import { App, Button, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Rollout } from '../../api/types';
import { Failure } from '../../ui/Failure';
import type { RolloutAction } from './rollouts';
import { changedNodes, isActive, possible, useAct } from './rollouts';

/** Pause, resume, promote and abort: those that are possible now. */
export function RolloutButtons({ rollout: r }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<RolloutAction>();
  return (
    <span className="row">
      {possible(r).map((action) => (
        <Button key={action} size="small" danger={action === 'abort'} onClick={() => setAsking(action)}>
          {t(`rolloutAction.${wording(r, action)}`)}
        </Button>
      ))}
      {asking && <Confirm rollout={r} action={asking} onClose={() => setAsking(undefined)} />}
    </span>
  );
}

// The API's resume also begins anew what failed or was aborted.
const wording = (r: Rollout, action: RolloutAction) => (action === 'resume' && !isActive(r) ? 'again' : action);

interface ConfirmProps {
  rollout: Rollout;
  action: RolloutAction;
  onClose: () => void;
}

/** Says what happens to how many nodes before it is done. */
function Confirm({ rollout: r, action, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const act = useAct(r.fleet);
  const word = wording(r, action);
  const done = () => {
    void message.success(t(`rolloutDone.${word}`, { fleet: r.fleet, revision: r.revision }));
    onClose();
  };
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={() => act.mutate(action, { onSuccess: done })}
      title={t(`rolloutAsk.${word}`, { fleet: r.fleet, revision: r.revision })}
      okText={t(`rolloutAction.${word}`)}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: action === 'abort', loading: act.isPending }}
    >
      <p>{t(`rolloutHint.${word}`, { count: changedNodes(r), from: r.from, wave: r.wave })}</p>
      <Failure error={act.error} />
    </Modal>
  );
}
