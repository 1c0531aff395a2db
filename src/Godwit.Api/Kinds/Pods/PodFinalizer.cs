using System.Text.Json.Nodes;
using Godwit.Api.Machinery;

namespace Godwit.Api.Kinds.Pods;

/// <summary>A pod that has a node may not vanish before the node's agent has ended its containers: in the same write as the node it gets the agent's finalizer.</summary>
public static class PodFinalizer
{
    public static bool IsOn(JsonObject pod) => (pod.ArrayAt("metadata", "finalizers") ?? []).Any(finalizer => JsonAccess.AsText(finalizer) == FinalizerNames.Agent);

    public static void PutOn(JsonObject pod)
    {
        if (IsOn(pod))
        {
            return;
        }

        var metadata = pod.GetOrAddObject("metadata");
        if (metadata["finalizers"] is not JsonArray finalizers)
        {
            metadata["finalizers"] = finalizers = [];
        }

        finalizers.Add((JsonNode)FinalizerNames.Agent);
    }
}
