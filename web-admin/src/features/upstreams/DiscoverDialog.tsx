import { App, Button, Form, Modal } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import type { Problem, Upstream, UpstreamKey } from '../../api/types';
import { keyText } from '../../api/types';
import { QueryView } from '../../ui/States';
import { EffectView } from './EffectView';
import { Failure } from '../../ui/Failure';
import { PlaceList } from './PlaceList';
import type { DiscoverForm, Place, PlaceRow } from './places';
import { complaints, placeOf, rowOf } from './places';
import { useSavePlaces, useWritten } from './written';

interface DiscoverDialogProps {
  upstream: UpstreamKey;
  open: boolean;
  onClose: () => void;
}

/** Says where an upstream's endpoints are discovered, in two steps: fill in, then see the effect and confirm. */
export function DiscoverDialog({ upstream, open, onClose }: DiscoverDialogProps) {
  const { t } = useTranslation();
  return (
    <Modal open={open} onCancel={onClose} footer={null} destroyOnHidden width={720} title={t('discover.title', { upstream: keyText(upstream) })}>
      <Read upstream={upstream} onClose={onClose} />
    </Modal>
  );
}

function Read({ upstream, onClose }: Omit<DiscoverDialogProps, 'open'>) {
  const written = useWritten(upstream);
  return <QueryView query={written}>{(u) => <Steps written={u} onClose={onClose} />}</QueryView>;
}

function Steps({ written, onClose }: { written: Upstream; onClose: () => void }) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const [form] = Form.useForm<DiscoverForm>();
  const [wanted, setWanted] = useState<Place[]>();
  const dryRun = useSavePlaces(true);
  const save = useSavePlaces(false);
  const name = keyText({ tenant: written.tenant, name: written.name });

  // Refusals and new problems stand at the fields that they are about.
  const complain = (fields: { field: string; message: string }[]) => form.setFields(complaints(fields, form.getFieldValue('discover') as PlaceRow[]) as Parameters<typeof form.setFields>[0]);
  const check = ({ discover }: DiscoverForm) => {
    const places = (discover ?? []).map(placeOf);
    dryRun.mutate({ written, places }, {
      onSuccess: (r) => {
        setWanted(places);
        complain(r.effect.problemsAdded.filter((p) => isOf(p, written)).map((p) => ({ field: p.field ?? '', message: p.message })));
      },
      onError: (e) => complain(e instanceof ApiError ? e.fields : []),
    });
  };
  const confirm = (places: Place[]) =>
    save.mutate({ written, places }, {
      onSuccess: () => {
        void message.success(t('discover.saved', { upstream: name }));
        onClose();
      },
    });
  const backToForm = () => {
    setWanted(undefined);
    dryRun.reset();
    save.reset();
  };
  const first: DiscoverForm = { discover: ((written.spec.discover ?? []) as Place[]).map(rowOf) };
  return (
    <>
      <p className="muted">{t('discover.hint')}</p>
      <Form<DiscoverForm> form={form} layout="vertical" initialValues={first} onFinish={check} disabled={wanted !== undefined} requiredMark={false}>
        <PlaceList locked={wanted !== undefined} />
        {wanted === undefined && (
          <div className="ant-modal-footer">
            <Button onClick={onClose}>{t('common.cancel')}</Button>
            <Button type="primary" htmlType="submit" loading={dryRun.isPending}>
              {t('edit.showEffect')}
            </Button>
          </div>
        )}
      </Form>
      <Failure error={dryRun.error ?? save.error} />
      {wanted && dryRun.data && (
        <>
          <EffectView effect={dryRun.data.effect} />
          <div className="ant-modal-footer">
            <Button onClick={backToForm}>{t('edit.change')}</Button>
            <Button type="primary" loading={save.isPending} onClick={() => confirm(wanted)}>
              {t('discover.confirm')}
            </Button>
          </div>
        </>
      )}
    </>
  );
}

const isOf = ({ object: o }: Problem, u: Upstream) => o.kind === 'Upstream' && o.tenant === u.tenant && o.name === u.name;
