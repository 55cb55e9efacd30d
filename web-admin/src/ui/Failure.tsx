import { Alert } from 'antd';
import { ApiError } from '../api/client';
import { Said } from './Said';

/** Why the server refused, field by field. */
export function Failure({ error }: { error: Error | null }) {
  if (!error) return null;
  const fields = error instanceof ApiError ? error.fields : [];
  const description = fields.map((f) => (
    <div key={f.field}>
      <code>{f.field}</code> {f.message}
    </div>
  ));
  return <Alert className="stale" type="error" showIcon title={<Said of="error" code={error instanceof ApiError ? error.code : undefined} text={error.message} />} description={fields.length > 0 ? description : undefined} />;
}
