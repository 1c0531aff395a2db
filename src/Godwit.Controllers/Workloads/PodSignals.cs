namespace Godwit.Controllers.Workloads;

/// <summary>Whom a change of a pod concerns: its owner, before and after, and who might take it when it has none.</summary>
internal static class PodSignals
{
    public static void Tell<T>(ResourceChange<Pod> change, ResourceCache<T> owners, Func<T, LabelSelectorSpec> selectorOf, Action<ResourceKey> enqueue)
        where T : Resource, IResource<T>
    {
        TellOwner<T>(change.Before, enqueue);
        TellOwner<T>(change.After, enqueue);
        if (change.After is { } pod && PodFacts.ControllerOf(pod) is null && PodFacts.IsActive(pod))
        {
            foreach (var owner in owners.Current.Items)
            {
                if (owner.Metadata.Namespace == pod.Metadata.Namespace && PodTemplates.SelectorOf(selectorOf(owner)).Matches(pod.Metadata.Labels))
                {
                    enqueue(ResourceKey.Of(owner));
                }
            }
        }
    }

    /// <summary>The controlling owner of this kind, if it has one.</summary>
    public static void TellOwner<T>(Resource? resource, Action<ResourceKey> enqueue)
        where T : Resource, IResource<T>
    {
        if (resource is not null && PodFacts.ControllerOf(resource) is { } owner && owner.Kind == T.Type.Kind && owner.ApiVersion == T.Type.ApiVersion)
        {
            enqueue(new ResourceKey(resource.Metadata.Namespace, owner.Name));
        }
    }
}
