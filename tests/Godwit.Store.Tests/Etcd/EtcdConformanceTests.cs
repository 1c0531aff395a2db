using Godwit.Store.Conformance;
using Godwit.Store.Etcd;

namespace Godwit.Store.Tests.Etcd;

// The whole kit against a real etcd: with a memory that reaches far back, with one so short that watches live on etcd's history, and behind the cache.
[Trait("Needs", "etcd")]
public sealed class EtcdAtomicTests : AtomicConformance<EtcdFixture>
{
    protected override int ValueBytesMax => EtcdStoreOptions.ValueBytesMax;
}

[Trait("Needs", "etcd")]
public sealed class EtcdWatchTests : WatchConformance<EtcdFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdSnapshotTests : SnapshotConformance<EtcdFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdCompactionTests : CompactionConformance<EtcdFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdDurableTests : DurableConformance<EtcdFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdModelTests : ModelConformance<EtcdFixture>
{
    protected override int Histories => 12; // Each starts an etcd.
}

[Trait("Needs", "etcd")]
public sealed class EtcdForgetfulWatchTests : WatchConformance<EtcdForgetfulFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdForgetfulCompactionTests : CompactionConformance<EtcdForgetfulFixture>;

[Trait("Needs", "etcd")]
public sealed class EtcdForgetfulModelTests : ModelConformance<EtcdForgetfulFixture>
{
    protected override int Histories => 6;
}

[Trait("Needs", "etcd")]
public sealed class CachedEtcdSnapshotTests : SnapshotConformance<CachedEtcdFixture>;

[Trait("Needs", "etcd")]
public sealed class CachedEtcdDurableTests : DurableConformance<CachedEtcdFixture>;
