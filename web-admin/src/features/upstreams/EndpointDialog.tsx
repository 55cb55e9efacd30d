import { App, Button, Form, Input, InputNumber, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Endpoint, ManualEndpoint, UpstreamKey } from '../../api/types';
import { keyText } from '../../api/types';
import { Failure } from '../../ui/Failure';
import { EffectView } from './EffectView';
import { useDryRun, useSave } from './queries';

interface EndpointDialogProps {
  upstream: UpstreamKey;
  /** The endpoint to change; without it one is added. */
  endpoint?: Endpoint | undefined;
  open: boolean;
  onClose: () => void;
}

/** Adds or changes an endpoint by hand, in two steps: fill in, then see the effect and confirm. */
export function EndpointDialog({ upstream, endpoint, open, onClose }: EndpointDialogProps) {
  const { t } = useTranslation();
  return (
    <Modal
      open={open}
      onCancel={onClose}
      footer={null}
      destroyOnHidden
      title={endpoint ? t('edit.changeTitle', { address: endpoint.address }) : t('edit.addTitle', { upstream: keyText(upstream) })}
    >
      <Steps upstream={upstream} endpoint={endpoint} onClose={onClose} />
    </Modal>
  );
}

function Steps({ upstream, endpoint, onClose }: Omit<EndpointDialogProps, 'open'>) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const [wanted, setWanted] = useState<ManualEndpoint>();
  const dryRun = useDryRun(upstream);
  const save = useSave(upstream);
  const check = (values: FormValues) => {
    const next = clean(values);
    dryRun.mutate({ do: 'put', endpoint: next }, { onSuccess: () => setWanted(next) });
  };
  const confirm = (e: ManualEndpoint) =>
    save.mutate({ do: 'put', endpoint: e }, {
      onSuccess: () => {
        void message.success(t('edit.saved', { what: e.address }));
        onClose();
      },
    });
  const backToForm = () => {
    setWanted(undefined);
    dryRun.reset();
    save.reset();
  };
  return (
    <>
      <EndpointForm endpoint={endpoint} disabled={wanted !== undefined} busy={dryRun.isPending} onSubmit={check} onCancel={onClose} />
      <Failure error={dryRun.error ?? save.error} />
      {wanted && dryRun.data && (
        <>
          <EffectView effect={dryRun.data.effect} />
          <div className="ant-modal-footer">
            <Button onClick={backToForm}>{t('edit.change')}</Button>
            <Button type="primary" loading={save.isPending} onClick={() => confirm(wanted)}>
              {endpoint ? t('edit.confirmChange') : t('edit.confirmAdd')}
            </Button>
          </div>
        </>
      )}
    </>
  );
}

interface FormValues {
  address: string;
  weight?: number | null;
  priority?: number | null;
  zone?: string;
}

// Fields left empty are left out, so that the server's defaults count.
function clean(v: FormValues): ManualEndpoint {
  const e: ManualEndpoint = { address: v.address.trim() };
  if (v.weight !== undefined && v.weight !== null) e.weight = v.weight;
  if (v.priority) e.priority = v.priority;
  if (v.zone?.trim()) e.zone = v.zone.trim();
  return e;
}

interface EndpointFormProps {
  endpoint: Endpoint | undefined;
  disabled: boolean;
  busy: boolean;
  onSubmit: (v: FormValues) => void;
  onCancel: () => void;
}

function EndpointForm({ endpoint, disabled, busy, onSubmit, onCancel }: EndpointFormProps) {
  const { t } = useTranslation();
  const first: FormValues = endpoint
    ? { address: endpoint.address, weight: endpoint.weight, priority: endpoint.priority ?? 0, zone: endpoint.zone ?? '' }
    : { address: '', weight: 1, priority: 0, zone: '' };
  return (
    <Form<FormValues> layout="vertical" initialValues={first} onFinish={onSubmit} disabled={disabled} requiredMark={false}>
      <Form.Item name="address" label={t('edit.address')} extra={t('edit.addressHint')} rules={[{ required: true, whitespace: true, message: t('edit.addressMissing') }]}>
        <Input className="mono" placeholder="10.0.0.4:8080" disabled={disabled || endpoint !== undefined} autoFocus={!endpoint} spellCheck={false} />
      </Form.Item>
      <div className="form-pair">
        <Form.Item name="weight" label={t('upstreams.weight')} tooltip={t('edit.weightHint')}>
          <InputNumber min={0} max={1000} precision={0} />
        </Form.Item>
        <Form.Item name="priority" label={t('upstreams.priority')} tooltip={t('edit.priorityHint')}>
          <InputNumber min={0} precision={0} />
        </Form.Item>
        <Form.Item name="zone" label={t('upstreams.zone')}>
          <Input placeholder={t('edit.optional')} />
        </Form.Item>
      </div>
      {!disabled && (
        <div className="ant-modal-footer">
          <Button onClick={onCancel}>{t('common.cancel')}</Button>
          <Button type="primary" htmlType="submit" loading={busy}>
            {t('edit.showEffect')}
          </Button>
        </div>
      )}
    </Form>
  );
}
