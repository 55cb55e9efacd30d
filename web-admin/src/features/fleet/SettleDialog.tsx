import { App, Checkbox, Form, Input, Modal, Select } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { NodeHunk, SettleAction, SettleRequest, Settled } from '../../api/types';
import { Failure } from '../../ui/Failure';
import { UnifiedDiff } from '../../ui/UnifiedDiff';
import { unified, useSettle } from './drift';

interface SettleDialogProps {
  fleet: string;
  hunk: NodeHunk;
  /** Other edits of the same files. */
  others: NodeHunk[];
  action: SettleAction;
  onClose: () => void;
}

interface FormValues {
  nodes?: string[];
  /** The other edits that are adopted with this one. */
  also?: string[];
  reason?: string;
  until?: string;
  /** Local time as the browser's field gives it: 2026-11-21T18:30. */
  at?: string;
}

const hour = 3_600_000;
const spans = { '4h': 4 * hour, '24h': 24 * hour, '7d': 7 * 24 * hour, '30d': 30 * 24 * hour };
type Span = keyof typeof spans;

/**
 * Says what becomes of an edit, asks for what that needs, and does it. What is adopted is written
 * for all nodes, so that is shown first.
 */
export function SettleDialog({ fleet, hunk: h, others, action, onClose }: SettleDialogProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const [form] = Form.useForm<FormValues>();
  const settle = useSettle(fleet, h.id);
  const [shown, setShown] = useState<{ request: SettleRequest; result: Settled }>();
  const ask = action === 'adopt' && !shown;
  const submit = (v: FormValues) => {
    const request = shown?.request ?? requestOf(action, h, v);
    const onSuccess = (result: Settled) => {
      if (ask) return setShown({ request, result });
      void message.success(t(`settle.done.${action}`, { nodes: result.nodes.join(', ') }));
      onClose();
    };
    settle.mutate({ request, dryRun: ask }, { onSuccess });
  };
  return (
    <Modal
      open
      onCancel={onClose}
      onOk={() => form.submit()}
      title={t(`settle.ask.${action}`)}
      okText={ask ? t('edit.showEffect') : t(`settle.do.${action}`)}
      cancelText={t('common.cancel')}
      okButtonProps={{ loading: settle.isPending }}
    >
      <p className="mono break">{h.path}</p>
      <UnifiedDiff text={unified(h)} />
      <p className="settle-hint">{t(`settle.hint.${action === 'revert' && h.kind === 'outside' ? 'revertOutside' : action}`)}</p>
      <SettleForm form={form} hunk={h} others={others} action={action} onSubmit={submit} onChange={() => setShown(undefined)} />
      {shown && <Written settled={shown.result} />}
      <Failure error={settle.error} />
    </Modal>
  );
}

function requestOf(action: SettleAction, h: NodeHunk, v: FormValues): SettleRequest {
  const r: SettleRequest = { action };
  // All of them is the server's default, and also takes back that the edit was allowed.
  if (action !== 'adopt' && v.nodes && v.nodes.length < h.on.length) r.nodes = v.nodes;
  if (action === 'adopt' && v.also && v.also.length > 0) r.also = v.also;
  const reason = v.reason?.trim();
  if (action !== 'revert' && reason) r.reason = reason;
  if (action === 'allow') r.until = (v.until === 'at' ? new Date(v.at ?? '') : new Date(Date.now() + spans[v.until as Span])).toISOString();
  return r;
}

/** The objects that would be written. */
function Written({ settled }: { settled: Settled }) {
  const { t } = useTranslation();
  return (
    <section className="settle-effect" aria-label={t('edit.effect')}>
      <p className="muted">{t('settle.written')}</p>
      <ul>
        {settled.objects.map(({ object: o, action }) => (
          <li key={`${o.kind} ${o.tenant ?? ''} ${o.name}`}>
            <span className="mono">
              {o.kind} {o.tenant ? `${o.tenant}/` : ''}
              {o.name}
            </span>{' '}
            <span className="muted">{t(`settle.${action}`)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** An edit in one line. */
const edit = (h: NodeHunk) => (h.new ? `+ ${h.new.trim()}` : `- ${(h.old ?? '').trim()}`);

interface SettleFormProps {
  form: ReturnType<typeof Form.useForm<FormValues>>[0];
  hunk: NodeHunk;
  others: NodeHunk[];
  action: SettleAction;
  onSubmit: (v: FormValues) => void;
  onChange: () => void;
}

function SettleForm({ form, hunk: h, others, action, onSubmit, onChange }: SettleFormProps) {
  const { t } = useTranslation();
  const until = Form.useWatch('until', form);
  const nodes = h.on.map((n) => n.node);
  const future = (_: unknown, at?: string) => (at && Date.parse(at) > Date.now() ? Promise.resolve() : Promise.reject(new Error(t('pin.atMissing'))));
  const ends: { value: Span | 'at'; label: string }[] = [...(Object.keys(spans) as Span[]).map((value) => ({ value, label: t(`settle.for.${value}`) })), { value: 'at', label: t('pin.at') }];
  return (
    <Form<FormValues> form={form} layout="vertical" initialValues={{ nodes, also: others.map((o) => o.id), until: '24h', reason: '' }} onFinish={onSubmit} onValuesChange={onChange} requiredMark={false}>
      {action !== 'adopt' && nodes.length > 1 && (
        <Form.Item name="nodes" label={t('settle.nodes')} rules={[{ required: true, message: t('settle.nodesMissing') }]}>
          <Checkbox.Group options={nodes} />
        </Form.Item>
      )}
      {action === 'adopt' && others.length > 0 && (
        <Form.Item name="also" label={t('settle.also')} extra={t('settle.alsoHint')}>
          <Checkbox.Group className="settle-also" options={others.map((o) => ({ value: o.id, label: <span className="mono break">{edit(o)}</span> }))} />
        </Form.Item>
      )}
      {action === 'allow' && (
        <Form.Item name="until" label={t('settle.until')}>
          <Select options={ends} />
        </Form.Item>
      )}
      {action === 'allow' && until === 'at' && (
        <Form.Item name="at" label={t('pin.atLabel')} rules={[{ validator: future }]}>
          <Input type="datetime-local" />
        </Form.Item>
      )}
      {action !== 'revert' && (
        <Form.Item name="reason" label={t('pin.reason')} extra={t('settle.reasonHint')} rules={[{ required: true, whitespace: true, message: t('settle.reasonMissing') }]}>
          <Input autoFocus maxLength={1000} />
        </Form.Item>
      )}
    </Form>
  );
}
