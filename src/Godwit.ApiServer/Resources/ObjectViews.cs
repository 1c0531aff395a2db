using Godwit.ApiServer.Requests;

namespace Godwit.ApiServer.Resources;

/// <summary>Makes the view that a client chose.</summary>
internal sealed class ObjectViews(TimeProvider clock)
{
    public ObjectView For(BodyView chosen, ServedResource resource, ApiRequest request) => chosen switch
    {
        BodyView.MetadataOnly => new MetadataView(),
        BodyView.Table => new TableView(resource, TableView.ReadInclude(request.Query("includeObject")), clock),
        _ => new WholeView(resource),
    };
}
