import { App, Button, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Node } from '../../api/types';
import { span } from '../../i18n/time';
import { Failure } from '../../ui/Failure';
import { useNow } from '../../ui/useNow';
import type { LeaveAction } from './leave';
import { leaveActions, useLeave } from './leave';

interface NodeLeaveProps {
  node: Node;
  onForgotten: () => void;
}

/** Refuse the certificates of a node, or forget it: for one that was stolen, and for one that is gone. */
export function NodeLeave({ node: n, onForgotten }: NodeLeaveProps) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState<LeaveAction>();
  const close = (done: boolean) => {
    if (done && asking === 'forget') onForgotten();
    setAsking(undefined);
  };
  return (
    <div className="row">
      {leaveActions.map((action) => (
        <Button key={action} size="small" danger onClick={() => setAsking(action)}>
          {t(`leave.do.${action}`)}
        </Button>
      ))}
      {asking && <Confirm node={n} action={asking} onClose={close} />}
    </div>
  );
}

interface ConfirmProps {
  node: Node;
  action: LeaveAction;
  onClose: (done: boolean) => void;
}

/** Says what becomes of the node, of its nginx, and how it comes back. */
function Confirm({ node: n, action, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const leave = useLeave(n);
  const now = useNow();
  const done = () => {
    void message.success(t(`leave.done.${action}`, { node: n.node }));
    onClose(true);
  };
  return (
    <Modal
      open
      onCancel={() => onClose(false)}
      onOk={() => leave.mutate(action, { onSuccess: done })}
      title={t(`leave.ask.${action}`, { node: n.node })}
      okText={t(`leave.do.${action}`)}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: true, loading: leave.isPending }}
    >
      <ul className="leave-effect">
        <li>{t(`leave.certificates.${action}`)}</li>
        <li>{t('leave.nginx')}</li>
        <li>{t(`leave.list.${action}`)}</li>
        <li>{t('leave.back', { tab: t('enrol.tab') })}</li>
      </ul>
      {action === 'forget' && n.state !== 'silent' && (
        <p className="text-warn">{t('leave.alive', { span: span(now - Date.parse(n.reportedAt), t) })}</p>
      )}
      <Failure error={leave.error} />
    </Modal>
  );
}
