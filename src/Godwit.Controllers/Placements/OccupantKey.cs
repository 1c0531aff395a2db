namespace Godwit.Controllers.Placements;

/// <summary>One who needs a place or an address: a guest or a pod. They share both, so one worker looks at both.</summary>
internal readonly record struct OccupantKey(bool IsPod, ResourceKey Key)
{
    public static OccupantKey Guest(ResourceKey key) => new(IsPod: false, key);

    public static OccupantKey Pod(ResourceKey key) => new(IsPod: true, key);

    public override string ToString() => $"{(IsPod ? "pods" : "virtualmachineinstances")}/{Key}";
}
