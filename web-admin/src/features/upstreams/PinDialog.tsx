import { Alert, App, Form, Input, Modal, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import type { EffectiveUpstream, PinRequest, PinState } from '../../api/types';
import { Failure } from '../../ui/Failure';
import { PinNote } from './PinMenu';
import type { PinWish } from './PinMenu';
import { usePin } from './health';

interface PinDialogProps {
  upstream: EffectiveUpstream;
  wish: PinWish;
  onClose: () => void;
}

interface FormValues {
  reason?: string;
  end: End;
  /** Local time as the browser's field gives it: 2026-11-21T18:30. */
  at?: string;
}

const spans = ['15m', '1h', '4h', '24h'] as const;
type End = 'never' | 'at' | (typeof spans)[number];

/** Says what a person's word does to an endpoint, and asks for reason and end, before it is said. */
export function PinDialog({ upstream: u, wish: { endpoint: e, state }, onClose }: PinDialogProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const [form] = Form.useForm<FormValues>();
  const pin = usePin(u.key);
  const save = (request?: PinRequest) =>
    pin.mutate(request ? { address: e.address, pin: request } : { address: e.address }, {
      onSuccess: () => {
        void message.success(t('edit.saved', { what: e.address }));
        onClose();
      },
    });
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={() => (state ? form.submit() : save())}
      title={`${state ? t(`pin.do.${state}`) : t(`pin.end.${e.pin?.state ?? 'up'}`)}: ${e.address}`}
      okText={state ? t(`pin.do.${state}`) : t(`pin.end.${e.pin?.state ?? 'up'}`)}
      cancelText={t('common.cancel')}
      okButtonProps={{ danger: state === 'down', loading: pin.isPending }}
    >
      {e.pin && <PinNote pin={e.pin} />}
      <p>{state ? t(`pin.hint.${state}`) : t('pin.endHint')}</p>
      {state && <Others upstream={u} address={e.address} state={state} />}
      {state && <PinForm form={form} reason={e.pin?.reason} onSubmit={(v) => save(request(state, v))} />}
      <Failure error={pin.error} />
    </Modal>
  );
}

// Fields left empty are left out, so that the server's defaults count.
function request(state: PinState, v: FormValues): PinRequest {
  const reason = v.reason?.trim();
  const r: PinRequest = reason ? { state, reason } : { state };
  if (v.end === 'at') r.expires = new Date(v.at ?? '').toISOString();
  else if (v.end !== 'never') r.for = v.end;
  return r;
}

/** How many endpoints serve when this one does not. */
function Others({ upstream: u, address, state }: { upstream: EffectiveUpstream; address: string; state: PinState }) {
  const { t } = useTranslation();
  if (state === 'up') return null;
  const count = u.endpoints.filter((e) => e.inRotation && e.address !== address).length;
  return count === 0 ? <Alert className="stale" type="error" showIcon title={t('pin.last')} /> : <p>{t('pin.others', { count })}</p>;
}

interface PinFormProps {
  form: ReturnType<typeof Form.useForm<FormValues>>[0];
  reason: string | undefined;
  onSubmit: (v: FormValues) => void;
}

function PinForm({ form, reason, onSubmit }: PinFormProps) {
  const { t } = useTranslation();
  const end = Form.useWatch('end', form);
  const ends = [{ value: 'never', label: t('pin.never') }, ...spans.map((span) => ({ value: span, label: t(`pin.for.${span}`) })), { value: 'at', label: t('pin.at') }];
  const future = (_: unknown, at?: string) => (at && Date.parse(at) > Date.now() ? Promise.resolve() : Promise.reject(new Error(t('pin.atMissing'))));
  return (
    <Form<FormValues> form={form} layout="vertical" initialValues={{ reason: reason ?? '', end: 'never' }} onFinish={onSubmit} requiredMark={false}>
      <Form.Item name="reason" label={t('pin.reason')} extra={t('pin.reasonHint')}>
        <Input autoFocus placeholder={t('edit.optional')} />
      </Form.Item>
      <Form.Item name="end" label={t('pin.until')}>
        <Select options={ends} />
      </Form.Item>
      {end === 'at' && (
        <Form.Item name="at" label={t('pin.atLabel')} rules={[{ validator: future }]}>
          <Input type="datetime-local" />
        </Form.Item>
      )}
    </Form>
  );
}
