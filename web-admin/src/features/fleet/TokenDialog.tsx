import { Alert, Form, Input, Modal, Select, Typography } from 'antd';
import { useTranslation } from 'react-i18next';
import type { IssuedToken, NewEnrolmentToken } from '../../api/types';
import { Failure } from '../../ui/Failure';
import { Until } from '../../ui/Time';
import { command, useNewToken } from './tokens';

const spans = ['1h', '24h', '168h'] as const;

interface FormValues {
  node?: string;
  expires: (typeof spans)[number];
}

/** Asks for whom a token is, makes it, and shows it once. */
export function TokenDialog({ fleet, onClose }: { fleet: string; onClose: () => void }) {
  const { t } = useTranslation();
  const [form] = Form.useForm<FormValues>();
  const make = useNewToken();
  const submit = ({ node, expires }: FormValues) => {
    const body: NewEnrolmentToken = { fleet, expires };
    if (node?.trim()) body.node = node.trim();
    make.mutate(body);
  };
  const issued = make.data;
  return (
    <Modal
      open
      width={640}
      // A stray click must not take away what is shown once.
      mask={{ closable: !issued }}
      onCancel={onClose}
      onOk={issued ? onClose : () => form.submit()}
      title={t('enrol.makeTitle', { fleet })}
      okText={issued ? t('enrol.copied') : t('enrol.make')}
      cancelText={t('common.cancel')}
      cancelButtonProps={issued ? { style: { display: 'none' } } : {}}
      okButtonProps={{ loading: make.isPending }}
    >
      {issued ? (
        <Issued issued={issued} />
      ) : (
        <Form<FormValues> form={form} layout="vertical" initialValues={{ expires: '1h' }} onFinish={submit} requiredMark={false}>
          <Form.Item name="node" label={t('enrol.node')} extra={t('enrol.nodeHint')}>
            <Input autoFocus maxLength={253} placeholder={t('edit.optional')} />
          </Form.Item>
          <Form.Item name="expires" label={t('enrol.expires')}>
            <Select options={spans.map((value) => ({ value, label: t(`enrol.for.${value}`) }))} />
          </Form.Item>
        </Form>
      )}
      <Failure error={make.error} />
    </Modal>
  );
}

function Issued({ issued }: { issued: IssuedToken }) {
  const { t } = useTranslation();
  const text = command(issued, location.hostname);
  const tooltips = [t('common.copy'), t('common.copied')];
  return (
    <>
      <Alert type="warning" showIcon className="stale" title={t('enrol.once')} />
      <p className="row">
        {t('enrol.token')} <Until at={issued.info.expiresAt} />
      </p>
      <Typography.Paragraph className="mono break" copyable={{ text: issued.token, tooltips }}>
        {issued.token}
      </Typography.Paragraph>
      <p>{t('enrol.paste')}</p>
      <Typography.Paragraph className="mono break token-command" copyable={{ text, tooltips }}>
        {text}
      </Typography.Paragraph>
      <p className="muted">{t('enrol.include')}</p>
    </>
  );
}
