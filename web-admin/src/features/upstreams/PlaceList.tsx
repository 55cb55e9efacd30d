import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { AutoComplete, Button, Form, Input, InputNumber, Select } from 'antd';
import { useTranslation } from 'react-i18next';
import { statusQuery } from '../../api/reads';
import { Nothing } from '../../ui/States';
import type { DiscoverForm, PlaceKind } from './places';

const kinds: PlaceKind[] = ['kubernetes', 'etcd', 'dns', 'manual'];

/** The rows of the form, one for each place. */
export function PlaceList({ locked }: { locked: boolean }) {
  const { t } = useTranslation();
  return (
    <Form.List name="discover">
      {(rows, { add, remove }) => (
        <>
          {rows.length === 0 && <Nothing title={t('discover.empty')} />}
          {rows.map((row) => (
            <fieldset key={row.key} className="place" aria-label={t('discover.place', { n: row.name + 1 })}>
              <PlaceFields at={row.name} />
              {!locked && (
                <Button className="place-remove" type="text" danger icon={<DeleteOutlined />} aria-label={t('discover.remove')} title={t('discover.remove')} onClick={() => remove(row.name)} />
              )}
            </fieldset>
          ))}
          {!locked && (
            <Button type="dashed" block icon={<PlusOutlined />} onClick={() => add({ kind: 'kubernetes' })}>
              {t('discover.add')}
            </Button>
          )}
        </>
      )}
    </Form.List>
  );
}

function PlaceFields({ at }: { at: number }) {
  const { t } = useTranslation();
  const form = Form.useFormInstance<DiscoverForm>();
  const kind = Form.useWatch(['discover', at, 'kind'], form);
  return (
    <>
      <div className="form-pair">
        <Form.Item name={[at, 'kind']} label={t('discover.kind')}>
          <Select options={kinds.map((value) => ({ value, label: t(`source.${value}`) }))} />
        </Form.Item>
        {kind === 'kubernetes' && <Configured at={at} kind="kubernetes" field="cluster" label={t('discover.cluster')} />}
        {kind === 'etcd' && <Configured at={at} kind="etcd" field="registry" label={t('discover.registry')} />}
        {kind === 'dns' && <Configured at={at} kind="dns" field="resolver" label={t('discover.resolver')} />}
      </div>
      {kind === 'kubernetes' && <KubernetesFields at={at} />}
      {kind === 'etcd' && <Text at={at} name={['etcd', 'prefix']} label={t('discover.prefix')} hint={t('discover.prefixHint')} placeholder="/services/api/" needed />}
      {kind === 'dns' && <DNSFields at={at} />}
      <div className="form-pair">
        <Whole at={at} name={['precedence']} label={t('discover.precedence')} hint={t('discover.precedenceHint')} />
        <Whole at={at} name={['weight']} label={t('discover.weight')} hint={t('discover.weightHint')} />
        <Whole at={at} name={['priority']} label={t('discover.priority')} hint={t('discover.priorityHint')} />
      </div>
    </>
  );
}

function KubernetesFields({ at }: { at: number }) {
  const { t } = useTranslation();
  return (
    <div className="form-pair">
      <Text at={at} name={['kubernetes', 'namespace']} label={t('discover.namespace')} needed />
      <Text at={at} name={['kubernetes', 'service']} label={t('discover.service')} needed />
      <Text at={at} name={['kubernetes', 'port']} label={t('discover.port')} hint={t('discover.kubernetesPortHint')} placeholder={t('edit.optional')} />
    </div>
  );
}

function DNSFields({ at }: { at: number }) {
  const { t } = useTranslation();
  const form = Form.useFormInstance<DiscoverForm>();
  const srv = Form.useWatch(['discover', at, 'dns', 'type'], form) === 'SRV';
  const types = ['', 'A', 'AAAA', 'SRV'].map((value) => ({ value, label: value || t('discover.addresses') }));
  return (
    <div className="form-pair">
      <Text at={at} name={['dns', 'name']} label={t('discover.name')} placeholder={srv ? '_http._tcp.api.internal' : 'api.internal'} needed />
      <Form.Item name={[at, 'dns', 'type']} label={t('discover.type')} initialValue="">
        <Select options={types} />
      </Form.Item>
      {srv ? (
        <Form.Item label={t('discover.port')}>
          <span className="muted">{t('discover.srvPort')}</span>
        </Form.Item>
      ) : (
        <Whole at={at} name={['dns', 'port']} label={t('discover.port')} />
      )}
    </div>
  );
}

interface FieldProps {
  at: number;
  name: string[];
  label: string;
  hint?: string;
}

function Text({ at, name, label, hint, placeholder, needed = false }: FieldProps & { placeholder?: string; needed?: boolean }) {
  const { t } = useTranslation();
  return (
    <Form.Item name={[at, ...name]} label={label} {...(hint ? { tooltip: hint } : {})} rules={needed ? [{ required: true, whitespace: true, message: t('discover.missing') }] : []}>
      <Input className="mono" spellCheck={false} placeholder={placeholder ?? ''} />
    </Form.Item>
  );
}

// Bounds are the server's to tell: it says them at the field.
function Whole({ at, name, label, hint }: FieldProps) {
  const { t } = useTranslation();
  return (
    <Form.Item name={[at, ...name]} label={label} {...(hint ? { tooltip: hint } : {})}>
      <InputNumber precision={0} placeholder={t('edit.optional')} />
    </Form.Item>
  );
}

interface ConfiguredProps {
  at: number;
  kind: 'kubernetes' | 'etcd' | 'dns';
  field: string;
  label: string;
}

/** A source by the name that it has in sluice.yaml; those that this node has are proposed. */
function Configured({ at, kind, field, label }: ConfiguredProps) {
  const { t } = useTranslation();
  const sources = useQuery(statusQuery()).data?.sources ?? [];
  const names = sources.map((s) => s.name.split('/')).filter(([k, , more]) => k === kind && more === undefined);
  return (
    <Form.Item name={[at, kind, field]} label={label}>
      <AutoComplete options={names.map(([, name]) => ({ value: name ?? '' }))} placeholder={t('discover.defaultName')} allowClear />
    </Form.Item>
  );
}
