namespace Godwit.Controllers.Placements;

/// <summary>One who needs a place or an address: a guest or a pod, or a node that needs an address beside them. They share what there is, so one worker looks at all.</summary>
internal readonly record struct OccupantKey(bool IsPod, ResourceKey Key, bool IsNode = false)
{
    public static OccupantKey Node(ResourceKey key) => new(IsPod: false, key, IsNode: true);

    public static OccupantKey Guest(ResourceKey key) => new(IsPod: false, key);

    public static OccupantKey Pod(ResourceKey key) => new(IsPod: true, key);

    public override string ToString() => $"{(IsNode ? "nodes" : IsPod ? "pods" : "virtualmachineinstances")}/{Key}";
}
