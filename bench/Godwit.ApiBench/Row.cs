namespace Godwit.ApiBench;

/// <summary>
/// One row of the table, with the reference: kube-apiserver 1.32.13 with etcd 3.5.16 on two processors of the same kind,
/// the better of two samples; processor time is the apiserver's and etcd's together.
/// </summary>
internal sealed record Row(string Name, string Unit, double Reference, bool LowerIsBetter = false, double ReferenceCpuMs = 0)
{
    public static readonly Row ReadyFresh = new("start to ready, fresh store", "ms", 3100, LowerIsBetter: true, ReferenceCpuMs: 2400);
    public static readonly Row ReadyWithData = new("start to ready, with data", "ms", 4100, LowerIsBetter: true, ReferenceCpuMs: 2400);
    public static readonly Row MemoryAtReady = new("memory at ready", "MB", 304, LowerIsBetter: true);
    public static readonly Row MemoryWithObjects = new("memory with 61 000 objects", "MB", 715, LowerIsBetter: true);
    public static readonly Row MemoryPeak = new("peak memory", "MB", 1143, LowerIsBetter: true);
    public static readonly Row CreateOne = new("create, 1 client", "/s", 289, ReferenceCpuMs: 1.8);
    public static readonly Row Create = new("create, 16 clients", "/s", 635, ReferenceCpuMs: 1.8);
    public static readonly Row CreateMany = new("create, 64 clients, 50 000 objects", "/s", 557, ReferenceCpuMs: 1.8);
    public static readonly Row GetOne = new("get, 1 client", "/s", 404);
    public static readonly Row Get = new("get, 16 clients", "/s", 810);
    public static readonly Row GetMany = new("get, 64 clients", "/s", 1116);
    public static readonly Row Put = new("put, 16 clients", "/s", 463, ReferenceCpuMs: 2.65);
    public static readonly Row Patch = new("JSON merge patch, 16 clients", "/s", 491, ReferenceCpuMs: 2.65);
    public static readonly Row Apply = new("server-side apply, 16 clients", "/s", 409, ReferenceCpuMs: 2.65);
    public static readonly Row Delete = new("delete, 16 clients", "/s", 617, ReferenceCpuMs: 2.65);

    /// <summary>The reference decides nothing without its server: what its scheduler does with one is all that is known.</summary>
    public static Row Decided(int nodes) => new($"pods decided upon, {nodes} nodes, no server", "/s", 0);

    public static Row Bound(int nodes) => new($"pods bound, {nodes} nodes", "/s", BoundByReference(nodes), ReferenceCpuMs: SchedulerCpuMs(nodes));

    public static Row Backlog(int nodes) => new($"pods of a backlog bound, {nodes} nodes", "/s", BoundByReference(nodes), ReferenceCpuMs: SchedulerCpuMs(nodes));

    public static Row BacklogBegun(int nodes) => new($"from leading to the first bound, {nodes} nodes", "ms", 0, LowerIsBetter: true);

    public static Row MemoryOfNodes(int nodes) => new($"memory then, {nodes} nodes", "MB", 0, LowerIsBetter: true);

    public static Row ReadyWithPods(int pods) => new($"start to ready, {pods} pods stored", "ms", pods == 0 ? 3100 : 4100, LowerIsBetter: true, ReferenceCpuMs: 2400);

    public static Row MemoryWithPods(int pods) => new($"memory once read, {pods} pods stored", "MB", pods == 0 ? 304 : 0, LowerIsBetter: true);

    public static Row ListWhole(int count, double reference) => new($"list {count / 1000} 000, whole", "ms", reference, LowerIsBetter: true);

    public static Row ListPages(int count, double reference) => new($"list {count / 1000} 000, pages of 500", "ms", reference, LowerIsBetter: true);

    public static Row ListTable(int count, double reference) => new($"list {count / 1000} 000 as a table, pages of 500", "ms", reference, LowerIsBetter: true);

    public static Row ListSelected(int count, double reference) => new($"list {count / 1000} 000, label matching 1 %", "ms", reference, LowerIsBetter: true);

    public static Row Watch(int watchers, int rate, double reference) => new($"watch events, {watchers} watchers, {rate} writes/s asked", "/s", reference, ReferenceCpuMs: 0.02);

    private static double BoundByReference(int nodes) => nodes switch { 100 => 314, 1000 => 202, _ => 135 };

    /// <summary>Its scheduler's alone.</summary>
    private static double SchedulerCpuMs(int nodes) => nodes switch { 100 => 2, 1000 => 3.5, _ => 4.8 };
}
