using Godwit.Api;
using Godwit.Api.Core.V1;
using Godwit.Api.Meta.V1;
using Godwit.Api.Storage.V1;
using Godwit.ApiServer.Requests;
using Godwit.ApiServer.Resources;
using Godwit.ApiServer.Security;

namespace Godwit.ApiServer.Serving;

/// <summary>
/// The storage class that every cluster has, and that claims are of which name none. Made where it is missing, at each start, and otherwise left as it is: who wants another default takes
/// its annotation away rather than the class.
/// </summary>
internal static class SystemClasses
{
    public static StorageClass Local { get; } = new()
    {
        Metadata = new ObjectMeta { Name = StorageClassNames.Local, Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [AnnotationNames.DefaultClass] = "true" } },
        Provisioner = StorageClassNames.LocalProvisioner,
        ReclaimPolicy = ReclaimPolicies.Delete,
        AllowVolumeExpansion = true,
        VolumeBindingMode = VolumeBindingModes.WaitForFirstConsumer,
    };

    public static async Task EnsureAsync(ServedResources resources, ObjectWriter writer, CancellationToken stopping)
    {
        if (resources.Find(StorageClass.Type.Group, StorageClass.Type.Version, StorageClass.Type.Plural) is not { } served)
        {
            return;
        }

        var write = new WriteContext { Resource = served, Namespace = "", Name = StorageClassNames.Local, User = new User(User.ServerName, [User.MastersGroup]), Stopping = stopping };
        try
        {
            await writer.CreateAsync(write, GodwitJson.ToObject(Local));
        }
        catch (StatusException error) when (error.Reason == "AlreadyExists")
        {
            // As it should be: this is not the first start.
        }
    }
}
