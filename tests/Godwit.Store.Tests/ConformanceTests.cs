using Godwit.Store.Conformance;

namespace Godwit.Store.Tests;

// Each store keeps each promise: with a memory that reaches far back, and with one so short that watches live on the log.
public sealed class MemoryAtomicTests : AtomicConformance<MemoryFixture>;

public sealed class MemoryWatchTests : WatchConformance<MemoryFixture>;

public sealed class MemorySnapshotTests : SnapshotConformance<MemoryFixture>;

public sealed class MemoryCompactionTests : CompactionConformance<MemoryFixture>;

public sealed class MemoryModelTests : ModelConformance<MemoryFixture>
{
    protected override int Histories => 500;
}

public sealed class MemoryForgetfulWatchTests : WatchConformance<MemoryForgetfulFixture>;

public sealed class MemoryForgetfulModelTests : ModelConformance<MemoryForgetfulFixture>
{
    protected override int Histories => 500;
}

public sealed class SqliteAtomicTests : AtomicConformance<SqliteFixture>;

public sealed class SqliteWatchTests : WatchConformance<SqliteFixture>;

public sealed class SqliteSnapshotTests : SnapshotConformance<SqliteFixture>;

public sealed class SqliteCompactionTests : CompactionConformance<SqliteFixture>;

public sealed class SqliteDurableTests : DurableConformance<SqliteFixture>;

public sealed class SqliteModelTests : ModelConformance<SqliteFixture>;

public sealed class SqliteForgetfulAtomicTests : AtomicConformance<SqliteForgetfulFixture>;

public sealed class SqliteForgetfulWatchTests : WatchConformance<SqliteForgetfulFixture>;

public sealed class SqliteForgetfulCompactionTests : CompactionConformance<SqliteForgetfulFixture>;

public sealed class SqliteForgetfulModelTests : ModelConformance<SqliteForgetfulFixture>;

public sealed class CachedMemoryAtomicTests : AtomicConformance<CachedMemoryFixture>;

public sealed class CachedMemoryWatchTests : WatchConformance<CachedMemoryFixture>;

public sealed class CachedMemorySnapshotTests : SnapshotConformance<CachedMemoryFixture>;

public sealed class CachedMemoryCompactionTests : CompactionConformance<CachedMemoryFixture>;

public sealed class CachedMemoryModelTests : ModelConformance<CachedMemoryFixture>
{
    protected override int Histories => 500;
}

public sealed class CachedSqliteAtomicTests : AtomicConformance<CachedSqliteFixture>;

public sealed class CachedSqliteSnapshotTests : SnapshotConformance<CachedSqliteFixture>;

public sealed class CachedSqliteCompactionTests : CompactionConformance<CachedSqliteFixture>;

public sealed class CachedSqliteDurableTests : DurableConformance<CachedSqliteFixture>;

public sealed class CachedSqliteModelTests : ModelConformance<CachedSqliteFixture>;
