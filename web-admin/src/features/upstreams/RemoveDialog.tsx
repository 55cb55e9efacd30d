import { Alert, App, Modal, Spin } from 'antd';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import type { EffectiveUpstream, Endpoint } from '../../api/types';
import { keyText } from '../../api/types';
import { EffectView } from './EffectView';
import { Failure } from '../../ui/Failure';
import { useDryRun, useSave } from './queries';

interface RemoveDialogProps {
  upstream: EffectiveUpstream;
  endpoint: Endpoint;
  onClose: () => void;
}

/** Removes an endpoint given by hand, once its effect was seen and confirmed. */
export function RemoveDialog({ upstream: u, endpoint: e, onClose }: RemoveDialogProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const { mutate: check, data, error } = useDryRun(u.key);
  const save = useSave(u.key);
  useEffect(() => check({ do: 'remove', address: e.address }), [check, e.address]);
  const others = e.sources.filter((s) => s !== 'manual');
  const last = e.inRotation && others.length === 0 && u.endpoints.filter((o) => o.inRotation).length === 1;
  const remove = () =>
    save.mutate({ do: 'remove', address: e.address }, {
      onSuccess: () => {
        void message.success(t('edit.saved', { what: t('edit.removeTitle', { address: e.address, upstream: keyText(u.key) }) }));
        onClose();
      },
    });
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={remove}
      title={t('edit.removeTitle', { address: e.address, upstream: keyText(u.key) })}
      okText={t('edit.confirmRemove')}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: true, disabled: !data, loading: save.isPending }}
    >
      {last && <Alert type="error" showIcon title={t('edit.last')} />}
      {others.length > 0 && <Alert type="info" showIcon title={t('edit.staysDiscovered', { sources: others.map((s) => t(`source.${s}`)).join(', ') })} />}
      {!data && !error && (
        <div className="row muted">
          <Spin size="small" /> {t('edit.checking')}
        </div>
      )}
      {data && <EffectView effect={data.effect} />}
      <Failure error={error ?? save.error} />
    </Modal>
  );
}
