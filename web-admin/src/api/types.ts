import type { components } from './schema';

type Schemas = components['schemas'];

export type Status = Schemas['Status'];
export type SourceStatus = Schemas['SourceStatus'];
export type StoreStatus = Schemas['StoreStatus'];
export type Problem = Schemas['Problem'];
export type Ref = Schemas['Ref'];
export type UpstreamKey = Schemas['UpstreamKey'];
export type UpstreamView = Schemas['UpstreamView'];
export type ActiveCheck = Schemas['ActiveCheck'];
export type EffectiveUpstream = Schemas['EffectiveUpstream'];
export type CertificateView = Schemas['CertificateView'];
export type Endpoint = Schemas['Endpoint'];
export type ManualEndpoint = Schemas['ManualEndpoint'];
export type Verdict = Schemas['Verdict'];
export type HealthState = Schemas['HealthState'];
export type Sample = Schemas['Sample'];
export type EvidenceCounts = Schemas['EvidenceCounts'];
export type PinState = Schemas['PinState'];
export type PinRequest = Schemas['PinRequest'];
export type HealthEvent = Schemas['HealthEvent'];
export type EventKind = Schemas['EventKind'];
export type UpstreamHealth = Schemas['UpstreamHealth'];
export type Standing = Schemas['Standing'];
export type Shrink = Schemas['Shrink'];
export type Alert = Schemas['Alert'];
export interface Alerts {
  items: Alert[];
  receivers: Schemas['AlertReceiver'][];
}
export type DerivedFrom = Schemas['DerivedFrom'];
export type Upstream = Schemas['Upstream'];
export type Route = Schemas['Route'];
export type Discover = Schemas['Discover'];
export type NameList = Schemas['NameList'];
export type ServiceName = Schemas['ServiceName'];
export type WriteResult = Schemas['WriteResult'];
export type Effect = Schemas['Effect'];
export type Fleet = Schemas['Fleet'];
export type Node = Schemas['Node'];
export type NodeState = Schemas['NodeState'];
export type FileDrift = Schemas['FileDrift'];
export type ApplyFailure = Schemas['ApplyFailure'];
export type NodeReason = NonNullable<Node['reason']>;
export type Mismatch = Schemas['Mismatch'];
export type Rollout = Schemas['Rollout'];
export type RolloutState = Rollout['state'];
export type RolloutWave = Schemas['RolloutWave'];
export type RolloutFigures = Schemas['RolloutFigures'];
export type FleetDrift = Schemas['FleetDrift'];
export type NodeGroup = Schemas['NodeGroup'];
export type NodeHunk = Schemas['NodeHunk'];
export type HunkNode = Schemas['HunkNode'];
export type HunkChange = Schemas['HunkChange'];
export type FileOwner = Schemas['FileOwner'];
export type SettleRequest = Schemas['SettleRequest'];
export type SettleAction = Schemas['SettleAction'];
export type Settled = Schemas['Settled'];
export type EnrolmentToken = Schemas['EnrolmentToken'];
export type NewEnrolmentToken = Schemas['NewEnrolmentToken'];
export type IssuedToken = Schemas['IssuedToken'];
export type FleetCheckStatus = Schemas['FleetCheckStatus'];
export type Bundle = Schemas['Bundle'];
export type TreeDiff = Schemas['TreeDiff'];
export type FileDiff = Schemas['FileDiff'];
export type SnapshotEvent = Schemas['SnapshotEvent'];
export type ProblemsEvent = Schemas['ProblemsEvent'];
export type ErrorDocument = Schemas['ErrorDocument'];
export type ErrorCode = Schemas['ErrorCode'];

/** Worst first: the order in which people look. */
export const healthStates: HealthState[] = ['ejected', 'down', 'probation', 'drained', 'unknown', 'healthy'];
export const nodeStates: NodeState[] = ['silent', 'failed', 'drifted', 'rolling', 'in_sync'];

export const keyText = (k: UpstreamKey) => `${k.tenant}/${k.name}`;
